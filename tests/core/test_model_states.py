"""Migrations draw less of the models between two operations than Django does, and make the same tables."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from django.core.management import get_commands
from django.db import connection, migrations, models
from django.db.migrations import Migration
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.state import ProjectState

from core.model_states import only_changed_models_are_drawn


def statements(plan: Sequence[Migration]) -> list[str]:
    """What these migrations would send to the database, begun with nothing."""
    state = ProjectState()
    assert state.apps is not None  # drawn, as `migrate` has it before the first operation
    sent = []
    for migration in plan:
        with connection.schema_editor(collect_sql=True, atomic=False) as editor:
            state = migration.apply(state, editor, collect_sql=True)
        sent += editor.collected_sql
    return sent


def both_ways(plan: Sequence[Migration]) -> tuple[list[str], list[str]]:
    with only_changed_models_are_drawn():
        quick = statements(plan)
    return quick, statements(plan)


def of(*operations: migrations.operations.base.Operation) -> Migration:
    migration = Migration("0001", "catalog")
    migration.operations = list(operations)
    return migration


def parent_and_child() -> list[migrations.CreateModel]:
    return [
        migrations.CreateModel("Parent", [("code", models.CharField(max_length=10, primary_key=True))]),
        migrations.CreateModel(
            "Child",
            [("id", models.BigAutoField(primary_key=True)), ("parent", models.ForeignKey("Parent", models.PROTECT))],
        ),
    ]


@pytest.mark.django_db
def test_the_lower_rooms_are_made_by_the_same_statements() -> None:
    loader = MigrationExecutor(connection).loader
    leaves = [loader.graph.leaf_nodes(room)[0] for room in ("core", "catalog")]
    names = dict.fromkeys(name for leaf in leaves for name in loader.graph.forwards_plan(leaf))
    quick, plain = both_ways([loader.get_migration(*name) for name in names])
    assert len(quick) > 200
    assert quick == plain


@pytest.mark.django_db
def test_a_key_that_becomes_longer_becomes_so_where_it_is_referred_to() -> None:
    longer = migrations.AlterField("Parent", "code", models.CharField(max_length=20, primary_key=True))
    quick, plain = both_ways([of(*parent_and_child(), longer)])
    assert quick == plain
    assert 'ALTER TABLE "catalog_child" ALTER COLUMN "parent_id" TYPE varchar(20)' in " ".join(quick)


@pytest.mark.django_db
def test_what_is_renamed_or_removed_is_gone_for_what_follows() -> None:
    quick, plain = both_ways([
        of(
            *parent_and_child(),
            migrations.RenameField("Parent", "code", "name"),
            migrations.RenameModel("Parent", "Elder"),
            migrations.CreateModel(
                "Friend",
                [("id", models.BigAutoField(primary_key=True)), ("elder", models.ForeignKey("Elder", models.PROTECT))],
            ),
            migrations.RemoveField("Child", "parent"),
            migrations.DeleteModel("Friend"),
            migrations.AddField("Child", "elder", models.ForeignKey("Elder", models.PROTECT, null=True)),
        )
    ])  # fmt: skip
    assert quick == plain
    assert 'ALTER TABLE "catalog_parent" RENAME TO "catalog_elder"' in " ".join(quick)
    assert 'ADD COLUMN "elder_id" varchar(10) NULL CONSTRAINT' in " ".join(quick)


@pytest.mark.django_db
def test_code_in_a_migration_sees_relations_of_one_drawing() -> None:
    """The model a key points to is the one that is asked for by name, also after a later change of either."""
    seen = []

    def look(apps: object, editor: object) -> None:
        child, parent = apps.get_model("catalog", "Child"), apps.get_model("catalog", "Parent")  # type: ignore[attr-defined]
        seen.append(child._meta.get_field("parent").related_model is parent)

    note = migrations.AddField("Parent", "note", models.TextField(default=""))
    migration = of(*parent_and_child(), note, migrations.RunPython(look))
    state = ProjectState()
    assert state.apps is not None
    with only_changed_models_are_drawn(), connection.schema_editor(atomic=False) as editor:
        migration.apply(state, editor)
        editor.deferred_sql.clear()
    assert seen == [True]


def test_migrate_is_the_command_that_draws_less() -> None:
    assert get_commands()["migrate"] == "core"
