/** Reads the service's OpenAPI document into plain descriptions of commands and their arguments. */

import { humanise } from "./dom.js";

/** `{title, description, tracks, commands, messages, hearsFiles}`; the last: a file may be announced without a command. */
export function readSchema(document) {
  const commands = [];
  for (const [path, item] of Object.entries(document.paths ?? {})) {
    const match = /^\/events\/(.+)$/.exec(path);
    if (match && item.post) commands.push(readCommand(decodeURIComponent(match[1]), item.post, document));
  }
  const messages = Object.entries(document.webhooks ?? {}).map(([name, item]) => ({ name, summary: item.post?.summary ?? "" }));
  return {
    title: document.info?.title ?? "",
    description: document.info?.description ?? "",
    tracks: document["x-reactor"]?.tracks ?? [],
    commands,
    messages,
    hearsFiles: Boolean(document["x-reactor"]?.file_uploaded),
  };
}

/** `setter` is true for a command whose one argument has its name: it gets a bare control. */
function readCommand(name, operation, document) {
  const body = resolve(operation.requestBody?.content?.["application/json"]?.schema ?? {}, document);
  const required = new Set(body.required ?? []);
  const fields = Object.entries(body.properties ?? {}).map(([field, schema]) => readArgument(field, schema, required.has(field), document));
  const summary = (operation.description ?? operation.summary ?? "").trim();
  const setter = fields.length === 1 && (name === `set_${fields[0].name}` || name === fields[0].name);
  return { name, label: humanise(name), summary: isBoilerplate(summary, name, fields) ? "" : summary, arguments: fields, setter };
}

/** "Set brightness" on `set_brightness` tells nobody anything. */
function isBoilerplate(summary, name, fields) {
  const bare = (text) => text.toLowerCase().replace(/[^a-z0-9]+/g, "");
  return [name, `trigger${name}`, ...fields.map((field) => `set${field.name}`)].some((text) => bare(summary) === bare(text));
}

/**
 * An argument: `kind` is integer | number | boolean | enum | string | json | upload | uploads.
 * `nullable` says that null may be sent; `fallback` is the default (`undefined`: there is none).
 * `min` and `max` are what a number may be, or, with `aboveMin` and `belowMax`, what it may not quite be.
 * `example` is JSON of the right form, for what has no control but a text.
 */
function readArgument(name, schema, required, document) {
  const { schema: inner, nullable } = unwrap(schema, document);
  const pick = (key) => schema[key] ?? inner[key];
  const description = (pick("description") ?? "").trim();
  const maxLength = pick("maxLength");
  const kind = isUpload(schema, inner) ? "upload" : isUpload(inner.items ?? {}, inner.items ?? {}) ? "uploads" : kindOf(inner);
  return {
    name,
    label: humanise(name),
    description: isBoilerplate(description, name, [{ name }]) ? "" : description,
    kind,
    required,
    nullable,
    fallback: "default" in schema ? schema.default : inner.default,
    ...bounds(kind, pick),
    minLength: pick("minLength"),
    maxLength,
    minItems: pick("minItems"),
    maxItems: pick("maxItems"),
    example: kind === "json" ? JSON.stringify(exampleOf(inner, document)) : undefined,
    values: (inner.enum ?? ("const" in inner ? [inner.const] : [])).filter((value) => value !== null),
    long: kind === "string" && (maxLength > 120 || /prompt/i.test(`${name} ${description}`)),
  };
}

/** Of a whole number both ends are such that it may be them. */
function bounds(kind, pick) {
  const [low, high, above, below] = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"].map(pick);
  const aboveMin = above !== undefined && !(low > above);
  const belowMax = below !== undefined && !(high < below);
  const min = aboveMin ? above : low;
  const max = belowMax ? below : high;
  if (kind !== "integer") return { min, max, aboveMin, belowMax };
  return {
    min: min === undefined ? min : aboveMin ? Math.floor(min) + 1 : Math.ceil(min),
    max: max === undefined ? max : belowMax ? Math.ceil(max) - 1 : Math.floor(max),
    aboveMin: false,
    belowMax: false,
  };
}

/** Some value of the schema's form; `undefined` where any will do. */
function exampleOf(schema, document, depth = 0) {
  const { schema: inner } = unwrap(schema, document);
  const nested = (part) => (depth < 3 ? exampleOf(part, document, depth + 1) : undefined);
  if (inner.enum) return inner.enum[0];
  if (inner.type === "array") return inner.items?.type === "string" && !inner.items.enum ? ["one", "two"] : [nested(inner.items ?? {}) ?? "…"];
  if (inner.properties) return Object.fromEntries(Object.entries(inner.properties).map(([name, part]) => [name, nested(part) ?? "…"]));
  if (inner.type === "object") return { name: nested(typeof inner.additionalProperties === "object" ? inner.additionalProperties : {}) ?? "…" };
  return { string: "text", integer: 1, number: 0.5, boolean: true }[inner.type];
}

function kindOf(schema) {
  if (schema.enum || "const" in schema) return "enum";
  return ["integer", "number", "boolean", "string"].includes(schema.type) ? schema.type : "json";
}

function isUpload(schema, inner) {
  const named = (reference) => /UploadReference$/.test(reference ?? "");
  return named(schema.$ref) || (schema.anyOf ?? []).some((option) => named(option.$ref)) || Boolean(inner.properties?.upload_id);
}

/** Takes "or null" off a schema, in each way of writing it. */
function unwrap(schema, document) {
  const whole = resolve(schema, document);
  const options = whole.anyOf ?? whole.oneOf;
  if (options) {
    const real = options.map((option) => resolve(option, document)).filter((option) => option.type !== "null");
    const nullable = real.length < options.length;
    return { schema: real.length === 1 ? real[0] : {}, nullable };
  }
  if (Array.isArray(whole.type)) {
    const types = whole.type.filter((type) => type !== "null");
    return { schema: { ...whole, type: types.length === 1 ? types[0] : undefined }, nullable: types.length < whole.type.length };
  }
  return { schema: whole, nullable: (whole.enum ?? []).includes(null) };
}

function resolve(schema, document) {
  let current = schema;
  for (let depth = 0; depth < 8; depth += 1) {
    if (current.$ref?.startsWith("#/")) {
      const target = current.$ref.slice(2).split("/").reduce((node, key) => node?.[key.replaceAll("~1", "/").replaceAll("~0", "~")], document);
      current = { ...target, ...current, $ref: undefined };
    } else if (current.allOf?.length === 1) {
      current = { ...current.allOf[0], ...current, allOf: undefined };
    } else break;
  }
  return current;
}

/** A step of about a two-hundredth of the range, rounded down to 1, 2 or 5 times a power of ten. */
export function sensibleStep({ kind, min, max }) {
  if (kind === "integer") return 1;
  const raw = (max - min) / 200;
  if (!(raw > 0)) return 0.01;
  const power = 10 ** Math.floor(Math.log10(raw) + 1e-9);
  const factor = [5, 2, 1].find((candidate) => candidate * power <= raw * (1 + 1e-9)) ?? 1;
  return Number((factor * power).toPrecision(6));
}
