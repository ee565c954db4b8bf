// The API's calls, from openapi.json, to read and to try. Whoever is signed in here needs no token.

const place = document.getElementById("api");
const dark = matchMedia("(prefers-color-scheme: dark)");

function follow() {
  document.documentElement.classList.toggle("dark-mode", dark.matches);
}

dark.addEventListener("change", follow);
follow();

SwaggerUIBundle({
  url: place.dataset.schema,
  domNode: place,
  layout: "BaseLayout",
  requestInterceptor: (request) => {
    const here = new URL(request.url, document.baseURI).origin === location.origin;
    if (here && !["GET", undefined].includes(request.method)) request.headers["X-CSRFToken"] = place.dataset.csrf;
    return request;
  },
});
