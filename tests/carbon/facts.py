#!/usr/bin/env python3
"""Prints facts.csv, which test_facts.c holds the program's places against: each figure as its source has it (grid_country.csv,
grid_region.csv, cloud_region.csv in the folder that is given), with the code and the name that the source writes, and the code of the
place it has to be. Where a source calls a part of its own as a country is called, the place's own name stands instead: that name is
the country's."""
import csv, pathlib, sys

folder = pathlib.Path(sys.argv[1])
PROVINCES = {"alberta": "AB", "british columbia": "BC", "manitoba": "MB", "new brunswick": "NB", "newfoundland and labrador": "NL",
             "northwest territories": "NT", "nova scotia": "NS", "nunavut": "NU", "ontario": "ON", "prince edward island": "PE",
             "quebec": "QC", "saskatchewan": "SK", "yukon": "YT"}
RENAMED = {"egrid:USA": "United States (eGRID)", "nordic:FI": "Finland (bidding zone)",
           "gcp:asia-east2": "Google Cloud asia-east2 (Hong Kong)"}


def region(row):
    if row["iso3"] == "CAN":
        return "CA-" + PROVINCES[row["region"]]
    if row["iso3"] == "USA":
        return "egrid:USA" if row["region"] == "usa" else "US-" + row["code"]
    return "nordic:FI" if row["code"] == "FI" else row["code"]


def rows():
    for r in csv.DictReader(open(folder / "grid_country.csv", encoding="utf8")):
        yield r["iso3"], r["iso3"], r["country"], r["g_co2e_per_kwh"]
    for r in csv.DictReader(open(folder / "grid_region.csv", encoding="utf8")):
        place = region(r)
        yield place, place if place in RENAMED else r["code"] or place, RENAMED.get(place, r["region"]), r["g_co2e_per_kwh"]
    for r in csv.DictReader(open(folder / "cloud_region.csv", encoding="utf8")):
        place = "gcp:" + r["region"].replace("cenrtal", "central")
        yield place, r["region"], RENAMED.get(place, r["city"]), r["g_co2e_per_kwh"]


out = csv.writer(sys.stdout, lineterminator="\n")
out.writerow(["place", "code", "name", "g_per_kwh"])
out.writerows(rows())
