"""Files stored before they were sealed: all but printed documents and logos are sealed now."""

from typing import Any

from django.db import migrations
from django.db.models import Exists, OuterRef

from core.schema import LOCK_TIMEOUT
from core.sealing import seal_bytes, unseal_bytes


def seal(apps: Any, schema_editor: Any) -> None:
    StoredFile = apps.get_model("core", "StoredFile")
    public = [
        Exists(apps.get_model("core", "Company").objects.filter(logo=OuterRef("pk"))),
        Exists(apps.get_model("billing", "Invoice").objects.filter(pdf=OuterRef("pk"))),
        Exists(apps.get_model("billing", "CreditNote").objects.filter(pdf=OuterRef("pk"))),
    ]
    rows = StoredFile.objects.filter(is_sealed=False)
    for one in public:
        rows = rows.exclude(one)
    for pk in list(rows.order_by("pk").values_list("pk", flat=True)):
        stored = StoredFile.objects.get(pk=pk)
        stored.kept, stored.is_sealed = seal_bytes(bytes(stored.kept)), True
        stored.save(update_fields=["kept", "is_sealed"])


def open_again(apps: Any, schema_editor: Any) -> None:
    StoredFile = apps.get_model("core", "StoredFile")
    for pk in list(StoredFile.objects.filter(is_sealed=True).order_by("pk").values_list("pk", flat=True)):
        stored = StoredFile.objects.get(pk=pk)
        stored.kept, stored.is_sealed = unseal_bytes(bytes(stored.kept)), False
        stored.save(update_fields=["kept", "is_sealed"])


class Migration(migrations.Migration):
    dependencies = [("billing", "0026_bank_line_by_iban"), ("core", "0009_sealed_files")]

    operations = [LOCK_TIMEOUT, migrations.RunPython(seal, open_again)]
