// Shows the OpenAPI document; a file of its own so that a strict Content-Security-Policy may stand.
"use strict";

const page = document.getElementById("api-docs");

window.SwaggerUIBundle({
  url: page.dataset.schema,
  domNode: page,
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
  requestInterceptor: (request) => {
    const ours = new URL(request.url, location.href).origin === location.origin;
    if (ours && page.dataset.csrfToken) {
      request.headers[page.dataset.csrfHeader] = page.dataset.csrfToken;
    }
    return request;
  },
});
