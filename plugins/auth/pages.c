/* The pages behind the links of mails, for servers without a front end of their own. Looking at one
 * changes nothing, for mail scanners follow links: only the button does the POST. */
#include "auth.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

static const char page_style[] =
    "body{font:17px/1.5 system-ui,sans-serif;max-width:26em;margin:12vh auto;padding:0 1.2em;"
    "color:#1c2430;background:#fff}h1{font-size:1.4em}label{display:block;margin:1em 0 .3em}"
    "input{font:inherit;width:100%;box-sizing:border-box;padding:.5em;border:1px solid #8a94a3;"
    "border-radius:6px}button{font:inherit;margin-top:1.2em;padding:.6em 1.4em;border:0;"
    "border-radius:6px;color:#fff;background:#1a56db}button:disabled{opacity:.5}"
    "@media(prefers-color-scheme:dark){body{color:#e6e9ee;background:#14181f}"
    "input{color:inherit;background:#1e242d}}";

static const char page_script[] =
    "const form=document.querySelector('form'),say=document.querySelector('[role=status]'),"
    "button=document.querySelector('button');"
    "const token=new URLSearchParams(location.search).get('token');"
    "history.replaceState(null,'',location.pathname);"
    "if(!token){say.textContent='This link is not complete. Please open it from the mail again.';"
    "button.disabled=true}"
    "form.addEventListener('submit',async(event)=>{event.preventDefault();"
    "button.disabled=true;say.textContent='One moment …';"
    "const body={token};const field=document.querySelector('input');"
    "if(field)body.password=field.value;"
    "try{const reply=await fetch(form.dataset.path,{method:'POST',"
    "headers:{'Content-Type':'application/json'},body:JSON.stringify(body)});"
    "const json=await reply.json();"
    "if(reply.ok){form.hidden=true;say.textContent=json.message+'.'}"
    "else{const bad=(json.errors||[]).map((e)=>e.field+' '+e.detail).join('; ');"
    "say.textContent=bad||json.detail;button.disabled=reply.status===400}}"
    "catch{say.textContent='That did not work. Please try again.';button.disabled=false}});";

static const char page_verify[] =
    "<h1>Verify your email address</h1><p>One click, and your address is confirmed.</p>"
    "<form data-path=\"auth/verify-email\"><button>Verify my address</button></form>";

static const char page_reset[] =
    "<h1>Choose a new password</h1><form data-path=\"auth/reset-password\">"
    "<label for=\"password\">New password (8 characters or more)</label>"
    "<input id=\"password\" type=\"password\" autocomplete=\"new-password\" required "
    "minlength=\"8\""
    " maxlength=\"1024\"><button>Change my password</button></form>";

static const char *page_policy;

static const char *page_hash(struct vv_request *req, const char *text)
{
    uint8_t digest[AUTH_DIGEST];
    char base64[48];

    auth_sha256(text, strlen(text), digest);
    EVP_EncodeBlock((unsigned char *)base64, digest, sizeof digest);
    return vv_printf(req, "'sha256-%s'", base64);
}

int auth_pages_setup(struct vv_request *req)
{
    page_policy = vv_printf(req,
                            "default-src 'none'; style-src %s; script-src %s; connect-src 'self'; "
                            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
                            page_hash(req, page_style), page_hash(req, page_script));
    return 0;
}

static int page_reply(struct vv_request *req, const char *title, const char *body)
{
    const char *text;

    if (vv_server_option("frontend_url") != NULL)
        return vv_fail(req, 404, "not_found", "There is nothing here");
    text = vv_printf(req,
                     "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">"
                     "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
                     "<title>%s</title><style>%s</style></head><body><main>%s"
                     "<p role=\"status\"></p><noscript>This page needs JavaScript.</noscript>"
                     "</main><script>%s</script></body></html>\n",
                     title, page_style, body, page_script);
    vv_reply_header(req, "Content-Security-Policy", page_policy);
    vv_reply_header(req, "Referrer-Policy", "no-referrer");
    vv_reply_header(req, "X-Content-Type-Options", "nosniff");
    vv_reply_header(req, "Cache-Control", "no-store");
    return vv_reply_bytes(req, 200, "text/html; charset=utf-8", text, strlen(text));
}

int auth_page_verify(struct vv_request *req)
{
    return page_reply(req, "Verify your email address", page_verify);
}

int auth_page_reset(struct vv_request *req)
{
    return page_reply(req, "Choose a new password", page_reset);
}
