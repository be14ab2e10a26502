/* The OpenAPI document and the page that renders it. */
#ifndef VV_CORE_OPENAPI_H
#define VV_CORE_OPENAPI_H

#include "request.h"

/* Handlers of GET /openapi.json and GET /docs. */
int vv_openapi_document(struct vv_request *req);
int vv_openapi_page(struct vv_request *req);

#endif
