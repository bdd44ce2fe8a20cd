"""Registration of the reporting room."""

from __future__ import annotations

from django.apps import AppConfig


class ReportingConfig(AppConfig):
    name = "reporting"

    def ready(self) -> None:
        from reporting import (  # noqa: F401  registering is its effect
            campaigns,
            churn,
            closed_months,
            cohorts,
            examinations,
            growth,
            long_reports,
            mailing,
            money,
            refusals,
            revenue,
            rows_revenue,
            titles,
        )
