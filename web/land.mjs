// node web/land.mjs LAND: writes web/land.json, the outline of the world's land behind the report's map. LAND is land-110m.json of
// the npm package world-atlas 2.0.2: Natural Earth's 1:110m land, which is in the public domain (naturalearthdata.com).
// The outline is an array of polygons; a polygon is an array of rings, its coast and then its lakes; a ring is the tenths of a
// degree of longitude and latitude of its first point, then of each step to the next.
import { readFileSync, writeFileSync } from "node:fs";
import { feature } from "topojson-client";

const SOUTHERNMOST = -60; // Antarctica has no grid, and would take a fifth of the map

// Whole, where it crosses the 180th meridian.
function unwrapped(ring) {
  let turns = 0;
  return ring.map(([longitude, latitude], i) => {
    const step = i === 0 ? 0 : longitude - ring[i - 1][0];
    turns += step > 180 ? -1 : step < -180 ? 1 : 0;
    return [longitude + 360 * turns, latitude];
  });
}

// Sutherland and Hodgman: what of a ring lies on one side of a meridian.
function cut(ring, meridian, sign) {
  const inside = ([longitude]) => sign * (longitude - meridian) <= 0;
  return ring.flatMap((point, i) => {
    const last = ring[(i + ring.length - 1) % ring.length];
    if (inside(point) === inside(last)) return inside(point) ? [point] : [];
    const t = (meridian - last[0]) / (point[0] - last[0]);
    const crossing = [meridian, last[1] + t * (point[1] - last[1])];
    return inside(point) ? [crossing, point] : [crossing];
  });
}

// On each side of the 180th meridian what lies there.
const sides = (rings) => [-360, 0, 360]
  .map((shift) => rings.map((ring) => cut(cut(unwrapped(ring).map(([x, y]) => [x + shift, y]), -180, -1), 180, 1)));

function steps(ring) {
  const tenths = ring.map(([longitude, latitude]) => [Math.round(longitude * 10), Math.round(latitude * 10)]);
  const points = tenths.filter(([x, y], i) => i === 0 || x !== tenths[i - 1][0] || y !== tenths[i - 1][1]);
  return points.flatMap(([x, y], i) => (i === 0 ? [x, y] : [x - points[i - 1][0], y - points[i - 1][1]]));
}

const topology = JSON.parse(readFileSync(process.argv[2], "utf8"));
const { features } = feature(topology, topology.objects.land);
const polygons = features.flatMap(({ geometry }) => (geometry.type === "Polygon" ? [geometry.coordinates] : geometry.coordinates));
const land = polygons.filter(([coast]) => coast.some(([, latitude]) => latitude > SOUTHERNMOST))
  .flatMap(sides).map((rings) => rings.map(steps).filter((ring) => ring.length >= 8));
writeFileSync(new URL("land.json", import.meta.url), `${JSON.stringify(land.filter((rings) => rings.length))}\n`);
