"""Customers that are one are merged: one points to the other, two levels at most. And pairs that are two."""

import django.db.models.deletion
from django.db import migrations, models

from core.schema import LOCK_TIMEOUT, company_key, frozen

#: Whoever others were merged into isn't merged itself, and nobody is merged into somebody who was.
TWO_LEVELS = migrations.RunSQL(
    """
    CREATE FUNCTION turnus_customer_two_levels() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF EXISTS (SELECT 1 FROM customers_customer WHERE merged_into_id = NEW.id)
           OR EXISTS (SELECT 1 FROM customers_customer WHERE id = NEW.merged_into_id AND merged_into_id IS NOT NULL)
        THEN
            RAISE EXCEPTION 'customer % can not be merged into %: one of them has a part in another merge',
                NEW.id, NEW.merged_into_id
                USING ERRCODE = 'restrict_violation', CONSTRAINT = 'customer_merged_in_two_levels';
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER customer_merged_in_two_levels BEFORE INSERT OR UPDATE OF merged_into_id ON customers_customer
        FOR EACH ROW WHEN (NEW.merged_into_id IS NOT NULL) EXECUTE FUNCTION turnus_customer_two_levels();
    """,
    """
    DROP TRIGGER customer_merged_in_two_levels ON customers_customer;
    DROP FUNCTION turnus_customer_two_levels();
    """,
)

#: By what customers are compared, as the database computes it for its indexes. Empty: nothing to compare.
KEYS = migrations.RunSQL(
    """
    CREATE FUNCTION turnus_mail_key(address text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
        RETURN regexp_replace(lower(btrim(address)), '\\+[^@]*@', '@');
    CREATE FUNCTION turnus_phone_key(number text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
        RETURN CASE WHEN length(regexp_replace(number, '[^0-9]', '', 'g')) >= 7
                    THEN right(regexp_replace(number, '[^0-9]', '', 'g'), 9) ELSE '' END;
    CREATE FUNCTION turnus_place_key(postal_code text, city text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
        RETURN lower(coalesce(nullif(btrim(postal_code), ''), btrim(city)));
    CREATE INDEX customer_by_mail_key ON customers_customer (company_id, turnus_mail_key(email), id)
        WHERE turnus_mail_key(email) <> '' AND archived_at IS NULL;
    CREATE INDEX customer_by_phone_key ON customers_customer (company_id, turnus_phone_key(phone), id)
        WHERE turnus_phone_key(phone) <> '' AND archived_at IS NULL;
    CREATE INDEX contact_by_mail_key ON customers_contact (company_id, turnus_mail_key(email), customer_id)
        WHERE turnus_mail_key(email) <> '' AND archived_at IS NULL;
    CREATE INDEX contact_by_phone_key ON customers_contact (company_id, turnus_phone_key(phone), customer_id)
        WHERE turnus_phone_key(phone) <> '' AND archived_at IS NULL;
    CREATE INDEX address_by_place ON customers_address
        (company_id, country, turnus_place_key(postal_code, city), customer_id)
        WHERE kind = 'billing' AND replaced_at IS NULL AND turnus_place_key(postal_code, city) <> '';
    """,
    """
    DROP INDEX customer_by_mail_key, customer_by_phone_key, contact_by_mail_key,
        contact_by_phone_key, address_by_place;
    DROP FUNCTION turnus_mail_key(text);
    DROP FUNCTION turnus_phone_key(text);
    DROP FUNCTION turnus_place_key(text, text);
    """,
)


class Migration(migrations.Migration):
    dependencies = [("core", "0017_webhook_log"), ("customers", "0013_searched")]

    operations = [
        LOCK_TIMEOUT,
        migrations.CreateModel(
            name='Apart',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('by', models.CharField(help_text='Who said so.', max_length=120)),
                ('at', models.DateTimeField(help_text="When, by the company's clock.")),
            ],
            options={
                'verbose_name': 'two customers',
            },
        ),
        migrations.AddField(
            model_name='customer',
            name='merged_at',
            field=models.DateTimeField(blank=True, help_text="When it was merged, by the company's clock.", null=True),
        ),
        migrations.AddField(
            model_name='customer',
            name='merged_into',
            field=models.ForeignKey(blank=True, db_constraint=False, db_index=False, help_text='The customer it was a duplicate of; its documents stay under its own number.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='merged', to='customers.customer'),
        ),
        migrations.AddIndex(
            model_name='customer',
            index=models.Index(condition=models.Q(('merged_into__isnull', False)), fields=['merged_into', 'id'], name='customer_merged'),
        ),
        migrations.AddConstraint(
            model_name='customer',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('merged_at__isnull', True), ('merged_into__isnull', True)), models.Q(('archived_at__isnull', False), ('merged_at__isnull', False), ('merged_into__isnull', False)), _connector='OR'), name='customer_merged_is_archived'),
        ),
        migrations.AddConstraint(
            model_name='customer',
            constraint=models.CheckConstraint(condition=models.Q(('merged_into', models.F('id')), _negated=True), name='customer_not_merged_into_itself'),
        ),
        migrations.AddField(
            model_name='apart',
            name='company',
            field=models.ForeignKey(db_constraint=False, db_index=False, help_text='The company this row belongs to.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.company'),
        ),
        migrations.AddField(
            model_name='apart',
            name='first',
            field=models.ForeignKey(db_constraint=False, db_index=False, help_text='The older of the two.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.customer'),
        ),
        migrations.AddField(
            model_name='apart',
            name='second',
            field=models.ForeignKey(db_constraint=False, help_text='The younger of the two.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.customer'),
        ),
        migrations.AddConstraint(
            model_name='apart',
            constraint=models.UniqueConstraint(fields=('first', 'second'), name='apart_once'),
        ),
        migrations.AddConstraint(
            model_name='apart',
            constraint=models.CheckConstraint(condition=models.Q(('first__lt', models.F('second'))), name='apart_older_first'),
        ),
        company_key(
            "customers_customer", "merged_into_id", "customers_customer", name="customer_merged_into_same_company"
        ),
        company_key("customers_apart", "first_id", "customers_customer", name="apart_first_same_company"),
        company_key("customers_apart", "second_id", "customers_customer", name="apart_second_same_company"),
        frozen("customers_apart"),
        TWO_LEVELS,
        KEYS,
    ]
