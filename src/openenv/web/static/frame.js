// Runs inside the sandboxed frame at `web/frame`. It shows the HTML it is handed, without what could act: scripts do
// not run here (the frame's policy allows this server's files alone), and what could lead elsewhere is taken out before
// it is shown.

const ACTIVE = "script,meta,base,link,iframe,frame,object,embed,portal,form[action],noscript";

function show(html) {
  // The policy stops handlers anyhow; taking them out first spares the console a report for each.
  const parsed = new DOMParser().parseFromString(
    html.replace(/(<[a-z][^<>]*?)[\s/]on[a-z]+\s*=/gi, "$1 "),
    "text/html",
  );
  for (const found of parsed.querySelectorAll(ACTIVE)) found.remove();
  for (const found of parsed.querySelectorAll("*")) {
    for (const { name, value } of [...found.attributes]) {
      if (/^(src|srcset|poster|background|data)$/i.test(name) && !/^data:/i.test(value)) found.removeAttribute(name);
      if (/^on|^(srcdoc|formaction|ping|target)$|href$/i.test(name)) found.removeAttribute(name);
    }
  }
  const styles = [...parsed.head.querySelectorAll("style")];
  document.body.replaceChildren(...styles, ...parsed.body.childNodes);
  tell();
}

function tell() {
  parent.postMessage({ height: Math.ceil(document.documentElement.getBoundingClientRect().height) }, "*");
}

window.addEventListener("message", (event) => {
  if (event.source === parent && typeof event.data?.html === "string") show(event.data.html);
});
new ResizeObserver(tell).observe(document.documentElement);
parent.postMessage({ ready: true }, "*");
