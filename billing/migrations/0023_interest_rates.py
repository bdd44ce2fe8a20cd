"""The rates of late-payment interest that ship with the product."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.forms import model_to_dict

from billing.services.interest_rates import shipped
from core.schema import LOCK_TIMEOUT


def seed(apps: Apps, _schema: BaseDatabaseSchemaEditor) -> None:
    model = apps.get_model("billing", "InterestRate")
    rows = [model(**model_to_dict(row, exclude=["id"])) for row in shipped()]
    model.objects.bulk_create(rows, ignore_conflicts=True)


class Migration(migrations.Migration):
    dependencies = [("billing", "0022_dunning_steps_once")]
    operations = [LOCK_TIMEOUT, migrations.RunPython(seed, migrations.RunPython.noop)]
