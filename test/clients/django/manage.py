#!/usr/bin/python3
"""The CRM's command line: migrate, test, and the steps of crm/management."""
import os
import sys

from django.core.management import execute_from_command_line

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
execute_from_command_line(sys.argv)
