"""The CRM's tables: an ordinary Lead with an owner who is a User."""
from django.db import models


class User(models.Model):
    name = models.CharField(max_length=50)


class Lead(models.Model):
    company = models.CharField(max_length=100)
    email = models.EmailField(null=True)
    country = models.CharField(max_length=2, null=True)
    stage = models.CharField(max_length=20, default="new")
    owner = models.ForeignKey(User, models.SET_NULL, null=True)


class ReturnedForeignKey(models.ForeignKey):
    """Read back by the INSERT itself, as Django does with keys."""

    db_returning = True


class LeadShown(models.Model):
    """The same leads; the owner is there after save()."""

    company = models.CharField(max_length=100)
    stage = models.CharField(max_length=20, default="new")
    owner = ReturnedForeignKey(User, models.DO_NOTHING, null=True)

    class Meta:
        managed = False
        db_table = "crm_lead"
