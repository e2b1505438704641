"""Services of carbon intensity on loopback, as their documents say and as they should not be. The first part of a path is how it behaves:
good, past (no forecast), unsaid (nothing but forecasts), guess (marked as estimated), late (one source stops being told), bomb (XML
that grows), slow, huge, garbage, cut, unit, negative, zone, empty, list, 401, 403, 404, 429, 500, away. Prints its port. What it was asked, without
its query, is in the log that is named, a line each, with the headers' secrets replaced by whether they were right."""
import base64
import datetime
import http.server
import json
import sys
import time
import urllib.parse

UTC = datetime.timezone.utc
LOG = sys.argv[1]


def intensity(at):
    return 100 + 10 * at.hour


def steps(start, end, every):
    at = start - (start - datetime.datetime(1970, 1, 1, tzinfo=UTC)) % every
    while at < end:
        yield at
        at += every


def moment(text):
    at = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return at if at.tzinfo else at.replace(tzinfo=UTC)


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def electricitymaps(self, path, query):
        hour = datetime.timedelta(hours=1)
        ahead = path.endswith("forecast")
        now = datetime.datetime.now(UTC)
        if ahead and self.mode == "past":
            return {}
        ahead_h = int(query.get("horizonHours", 24)) if ahead else 0
        start, end = (now, now + ahead_h * hour) if ahead else (moment(query["start"]), moment(query["end"]))
        zone = "XX" if self.mode == "zone" else query["zone"]
        points = [{"datetime": at.strftime("%Y-%m-%dT%H:%M:%S.000Z"), "carbonIntensity": intensity(at), "isEstimated": self.mode == "guess"}
                  for at in steps(start, end, hour)]
        return {"zone": zone, "forecast" if ahead else "data": points}

    def uk(self, path):
        half = datetime.timedelta(minutes=30)
        region = path.startswith("regional")
        parts = path.split("/")
        start, end = (moment(part) for part in (parts[2:4] if region else parts[1:3]))
        now = datetime.datetime.now(UTC)
        if region:
            data = [{"from": at.strftime("%Y-%m-%dT%H:%MZ"), "to": (at + half).strftime("%Y-%m-%dT%H:%MZ"),
                     "intensity": {"forecast": intensity(at), "index": "low"}} for at in steps(start, end, half)]
            return {"data": {"regionid": 99 if self.mode == "zone" else int(parts[5]), "shortname": "London", "data": data}}
        return {"data": [{"from": at.strftime("%Y-%m-%dT%H:%MZ"), "to": (at + half).strftime("%Y-%m-%dT%H:%MZ"),
                          "intensity": {"forecast": intensity(at) + 1, "actual": intensity(at) if at < now and self.mode != "unsaid" else None, "index": "low"}}
                         for at in steps(start, end, half)]}

    def energidata(self, path, query):
        five = datetime.timedelta(minutes=5)
        start = moment(query["start"])
        end = moment(query["end"]) if "end" in query else start + datetime.timedelta(hours=30)
        zone = json.loads(query["filter"])["PriceArea"][0]
        zone = "XX" if self.mode == "zone" else zone
        return {"total": 1, "records": [{"Minutes5UTC": at.strftime("%Y-%m-%dT%H:%M:%S"), "PriceArea": zone, "CO2Emission": intensity(at)}
                                        for at in steps(start, end, five)]}

    def watttime(self, path, query):
        five = datetime.timedelta(minutes=5)
        now = datetime.datetime.now(UTC)
        start, end = (now, now + datetime.timedelta(hours=24)) if path.endswith("forecast") else (moment(query["start"]), moment(query["end"]))
        return {"data": [{"point_time": at.isoformat(), "value": intensity(at) / 0.45359237} for at in steps(start, end, five)],
                "meta": {"region": "XX" if self.mode == "zone" else query["region"], "signal_type": "co2_moer",
                         "units": "kg_per_hour" if self.mode == "unit" else "lbs_co2_per_mwh"}}

    # Gas of 490 and hydro of 24 g/kWh, so that the mean is intensity(); what plants use themselves and what is pumped up don't count.
    def entsoe(self, query):
        hour, quarter = datetime.timedelta(hours=1), datetime.timedelta(minutes=15)
        start, end = (datetime.datetime.strptime(query[key], "%Y%m%d%H%M").replace(tzinfo=UTC) for key in ("periodStart", "periodEnd"))
        zone = "10YXX-----------" if self.mode == "zone" else query["in_Domain"]
        if self.mode == "empty":
            return ("<Acknowledgement_MarketDocument><Reason><code>999</code><text>No matching data found for Data item "
                    "AGGREGATED_GENERATION_PER_TYPE_R3</text></Reason></Acknowledgement_MarketDocument>")
        if self.mode == "list":
            return "<GL_MarketDocument><TimeSeries><Point><position>1</position><quantity>1</quantity></Point></TimeSeries></GL_MarketDocument>"
        unit = "MWH" if self.mode == "unit" else "MAW"

        def series(psr, points, resolution, curve="A01", domain="inBiddingZone_Domain", until=end):
            body = "".join(f"<Point><position>{n}</position><quantity>{mw:.9g}</quantity></Point>\n" for n, mw in points)
            return (f'<TimeSeries><{domain}.mRID codingScheme="A01">{zone}</{domain}.mRID>'
                    f"<quantity_Measure_Unit.name>{unit}</quantity_Measure_Unit.name><curveType>{curve}</curveType><MktPSRType><psrType>{psr}</psrType></MktPSRType>"
                    f"<Period><timeInterval><start>{start:%Y-%m-%dT%H:%MZ}</start><end>{until:%Y-%m-%dT%H:%MZ}</end></timeInterval>"
                    f"<resolution>{resolution}</resolution>{body}</Period></TimeSeries>")

        hours = list(steps(start, end, hour))
        part = [(intensity(at) - 24) / (490 - 24) for at in hours]
        gas_mw = float("nan") if self.mode == "negative" else 1000
        told = hours[:-2] if self.mode == "late" else hours
        document = "".join([
            series("B04", [(4 * i + 1, gas_mw * part[i]) for i in range(len(told))], "PT15M", "A03",
                   until=start + len(told) * hour),
            series("B12", [(i + 1, 1000 * (1 - part[i])) for i in range(len(hours))], "PT60M"),
            series("B10", [(i + 1, 3000) for i in range(len(hours))], "PT60M"),
            series("B10", [(i + 1, 2000) for i in range(len(hours))], "PT60M", domain="outBiddingZone_Domain"),
            series("B04", [(i + 1, 40) for i in range(len(list(steps(start, end, quarter))))], "PT15M", domain="outBiddingZone_Domain")])
        bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>' if self.mode == "bomb" else ""
        return ('<?xml version="1.0" encoding="UTF-8"?>\n' + bomb + '<GL_MarketDocument xmlns="urn:iec62325.351:tc57wg16:451-6:generationloaddocument:3:0">'
                f"<type>A75</type><time_Period.timeInterval><start>{start:%Y-%m-%dT%H:%MZ}</start><end>{end:%Y-%m-%dT%H:%MZ}</end></time_Period.timeInterval>"
                + document + "</GL_MarketDocument>")

    def right(self, name):
        if name == "electricitymaps":
            return self.headers.get("auth-token") == "sesame"
        if name == "entsoe":
            return "securityToken=sesame" in self.path
        if name == "login":
            return self.headers.get("Authorization") == "Basic " + base64.b64encode(b"ali:open sesame").decode()
        if name == "watttime":
            return self.headers.get("Authorization") == "Bearer t0ken"
        return True

    def answer(self, name, path, query):
        if name == "login":
            return {"token": "t0ken"}
        if name == "uk":
            return self.uk(path)
        if name == "entsoe":
            return self.entsoe(query)
        return getattr(self, name)(path, query)

    def spoilt(self, answer):
        if isinstance(answer, str):
            body = answer.encode()
            return body[:-20] if self.mode == "cut" else b"<html>&nbsp;" if self.mode == "garbage" else body
        key = next((k for k in ("data", "forecast", "records") if k in answer), None)
        if key and isinstance(answer[key], dict):
            return json.dumps(answer).encode()
        if key and self.mode == "empty":
            answer[key] = []
        if key and self.mode == "list":
            answer[key] = {"not": "a list"}
        if key and self.mode == "negative":
            for point in answer[key]:
                point.update({"carbonIntensity": -1, "intensity": {"actual": -1}, "CO2Emission": -1, "value": -1})
        body = json.dumps(answer).encode()
        return body[:-20] if self.mode == "cut" else b"<html>&nbsp;" if self.mode == "garbage" else body

    def do_GET(self):
        parts = urllib.parse.urlsplit(self.path)
        _, self.mode, path = parts.path.split("/", 2)
        query = dict(urllib.parse.parse_qsl(parts.query))
        name = ("login" if path == "login" else "electricitymaps" if "carbon-intensity" in path
                else "uk" if path.startswith(("intensity", "regional")) else "entsoe" if path == "api"
                else "energidata" if path.startswith("dataset") else "watttime")
        right = self.right(name)
        with open(LOG, "a", encoding="utf-8") as log:
            log.write(f"{name} {self.mode} {'right' if right else 'wrong'}\n")
        status = 200 if right else 401
        if self.headers.get("Accept") != ("application/xml" if name == "entsoe" else "application/json"):
            status = 406
        if self.mode == "slow":
            time.sleep(60)
        if self.mode.isdigit():
            status = int(self.mode)
        if self.mode == "away":
            status = 302
        body = b"x" * (9 << 20) if self.mode == "huge" else self.spoilt(self.answer(name, path, query)) if status == 200 else b"{}"
        self.send_response(status)
        if status == 429:
            self.send_header("Retry-After", "120")
        if status == 302:
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except BrokenPipeError:
            pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
print(server.server_port, flush=True)
server.serve_forever()
