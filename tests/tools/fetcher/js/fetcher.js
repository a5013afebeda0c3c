// The world `fetcher` in JavaScript, as componentize-js builds it: `fetch` of the engine, and files
// through the WASI interfaces that its own world imports.
import { getDirectories } from "wasi:filesystem/preopens@0.2.12";

const CHUNK = 64n * 1024n;

export async function fetchJson(url) {
  let response;
  try {
    response = await fetch(url);
  } catch (error) {
    throw `no answer from ${url}: ${error.message}`;
  }
  const text = await response.text();
  if (response.status !== 200) {
    throw `status ${response.status} from ${url}`;
  }
  try {
    return JSON.stringify(JSON.parse(text));
  } catch (error) {
    throw `not JSON: ${error.message}`;
  }
}

export function listFolder(path) {
  const folder = open(path, { directory: true });
  const entries = attempt(path, () => folder.readDirectory());
  const names = [];
  for (;;) {
    const entry = attempt(path, () => entries.readDirectoryEntry());
    if (entry === undefined) {
      return names.sort();
    }
    names.push(entry.type === "directory" ? `${entry.name}/` : entry.name);
  }
}

export function readText(path) {
  const file = open(path, {});
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let text = "";
  for (let offset = 0n; ; ) {
    const [bytes, end] = attempt(path, () => file.read(CHUNK, offset));
    const last = end || bytes.length === 0;
    try {
      text += decoder.decode(bytes, { stream: !last });
    } catch {
      throw `${path}: not UTF-8 text`;
    }
    if (last) {
      return text;
    }
    offset += BigInt(bytes.length);
  }
}

export function transform(text, style) {
  switch (style) {
    case "upper":
      return text.toUpperCase();
    case "title":
      return text.replace(/\S+/g, (word) => word[0].toUpperCase() + word.slice(1).toLowerCase());
    case "slug":
      return (text.toLowerCase().match(/[a-z0-9]+/g) ?? []).join("-");
  }
}

/// Opens a file or folder for reading, below the folder whose guest path is the longest that fits.
function open(path, flags) {
  const near = getDirectories()
    .filter(([, name]) => path === name || path.startsWith(name === "/" ? "/" : `${name}/`))
    .sort(([, one], [, other]) => other.length - one.length)[0];
  if (near === undefined) {
    throw `${path}: no folder is granted there`;
  }
  const [folder, name] = near;
  const rest = path.slice(name.length).replace(/^\/+/, "") || ".";
  return attempt(path, () => folder.openAt({ symlinkFollow: true }, rest, flags, { read: true }));
}

/// What a WASI call throws, as text.
function attempt(path, call) {
  try {
    return call();
  } catch (error) {
    throw `${path}: ${error.payload ?? error.message ?? error}`;
  }
}
