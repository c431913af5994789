"""Rates in, money out: arithmetic and dates. No cloud and no Pulumi is named here."""
