const MAX_REMOTE_UNITS = 400;

/**
 * The address of a repository in one form, however it was written: `host/path`, without user, password, port of the
 * scheme, query and `.git`. `git@github.com:acme/app.git` and `https://token@github.com/acme/app` are both
 * `github.com/acme/app`. A path of this machine stays a path. `undefined` for what is no address.
 */
export function normaliseRemote(address: string): string | undefined {
  const text = address.trim();
  if (text === "" || text.length > MAX_REMOTE_UNITS || /[\p{Cc}\s]/u.test(text)) return undefined;
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return fromUrl(text);
  // scp's way to write it (git-clone(1)): a colon before the first slash.
  const [, host, path] = /^(?:[^@/]*@)?(\[[^\]]+\]|[^:/@]+):(.+)$/.exec(text) ?? [];
  if (host !== undefined && path !== undefined) return slug(host, path);
  return text.includes("@") ? undefined : withoutSuffix(text);
}

function fromUrl(text: string): string | undefined {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return undefined;
  }
  if (url.protocol === "file:") return withoutSuffix(url.pathname);
  return url.hostname === "" ? undefined : slug(url.hostname, url.pathname);
}

function slug(host: string, path: string): string | undefined {
  const clean = withoutSuffix(path.replace(/^\/+/, ""));
  return clean === undefined ? undefined : `${host.toLowerCase()}/${clean}`;
}

function withoutSuffix(path: string): string | undefined {
  const clean = path
    .replace(/[?#].*$/, "")
    .replace(/\/+$/, "")
    .replace(/\.git$/, "");
  return clean === "" ? undefined : clean;
}
