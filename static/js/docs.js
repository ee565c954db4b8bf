// The API's calls, from openapi.json, to read and to try. Whoever is signed in here needs no token.

const place = document.getElementById("api");

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
