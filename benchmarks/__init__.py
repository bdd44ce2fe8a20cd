"""Measurements of speed. Goals are ratios within one run; nothing here is a test."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()
