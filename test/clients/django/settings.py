"""A CRM as Django's documentation would have it; the server comes from PGHOST,
PGPORT and PGDATABASE, as libpq knows them."""
import os

SECRET_KEY = "nothing here is secret"
INSTALLED_APPS = ["crm"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ["PGHOST"],
        "PORT": os.environ["PGPORT"],
        "NAME": os.environ["PGDATABASE"],
        "USER": os.environ["PGUSER"],
        # The extension is in the template, as CREATE EXTENSION needs a superuser.
        "TEST": {"NAME": "crm_test", "TEMPLATE": "with_leadroute"},
    }
}
