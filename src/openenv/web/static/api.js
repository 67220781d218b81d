// The server's HTTP side, as this page needs it: three things to read, with the token if there is one.

/** The server asks for a token, or for another one. */
export class Unauthorized extends Error {}

/** Where the server is: the page is at `<base>web`, behind whatever prefix a proxy puts before it. */
export const base = new URL("./", document.baseURI);

/** The base as people write it, without the slash at its end. */
export const serverUrl = base.href.replace(/\/$/, "");

/**
 * @param {{get: function(): ?string}} token
 * @returns {{read: function(string): Promise<Object>}}
 */
export function createApi(token) {
  return {
    /** Read one of the server's JSON documents; a failure is an Error whose message can be shown. */
    async read(path) {
      const headers = token.get() ? { Authorization: `Bearer ${token.get()}` } : {};
      let answer;
      try {
        answer = await fetch(new URL(path, base), { headers, cache: "no-store", signal: AbortSignal.timeout(30_000) });
      } catch {
        throw new Error("The server cannot be reached.");
      }
      const content = await answer.json().catch(() => ({}));
      if (answer.status === 401) throw new Unauthorized(content.detail || "A token is needed.");
      if (!answer.ok) throw new Error(content.detail || content.message || `${path} answered ${answer.status}.`);
      return content;
    },
  };
}
