import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel(
            name="User",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=50)),
            ],
        ),
        migrations.CreateModel(
            name="Lead",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("company", models.CharField(max_length=100)),
                ("email", models.EmailField(max_length=254, null=True)),
                ("country", models.CharField(max_length=2, null=True)),
                ("stage", models.CharField(default="new", max_length=20)),
                ("owner", models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, to="crm.user")),
            ],
        ),
    ]
