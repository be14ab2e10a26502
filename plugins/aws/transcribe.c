/* POST /aws/transcribe-url: a URL that a browser opens as a WebSocket, without an AWS SDK. */
#include "aws.h"
#include "sigv4.h"

#include <inttypes.h>

/* What Amazon Transcribe takes in streams (LanguageCode of its API StartStreamTranscription). */
#define TRANSCRIBE_LANGUAGES                                                                      \
    "af-ZA|am-ET|ar-AE|ar-SA|be-BY|bg-BG|bn-IN|bs-BA|ca-ES|ckb-IQ|ckb-IR|cs-CZ|cy-WL|"            \
    "da-DK|de-CH|de-DE|el-GR|en-AB|en-AU|en-GB|en-IE|en-IN|en-NZ|en-US|en-WL|en-ZA|es-ES|"        \
    "es-MX|es-US|et-ET|eu-ES|fa-AF|fa-IR|fi-FI|fr-CA|fr-FR|gl-ES|gu-IN|he-IL|hi-IN|hr-HR|"        \
    "ht-HT|hu-HU|hy-AM|id-ID|is-IS|it-IT|ja-JP|jv-ID|kab-DZ|ka-GE|kk-KZ|km-KH|kn-IN|ko-KR|lg-IN|" \
    "lt-LT|lv-LV|mk-MK|ml-IN|mr-IN|ms-MY|my-MM|ne-NP|nl-NL|no-NO|or-IN|pa-IN|pl-PL|ps-AF|"        \
    "pt-BR|pt-PT|ro-RO|ru-RU|si-LK|sk-SK|sl-SI|so-SO|sq-AL|sr-RS|su-ID|sv-SE|sw-BI|sw-KE|"        \
    "sw-RW|sw-TZ|sw-UG|ta-IN|te-IN|th-TH|tl-PH|tr-TR|uk-UA|uz-UZ|vi-VN|zh-CN|zh-HK|zh-TW|"        \
    "zu-ZA"

const struct vv_field aws_transcribe_body[] = {
    VV_FIELD_ENUM("language_code", TRANSCRIBE_LANGUAGES, VV_REQUIRED, "What is spoken"),
    VV_FIELD_ENUM("media_encoding", "pcm|ogg-opus|flac", VV_REQUIRED, "How the sound comes"),
    VV_FIELD_INT("sample_rate", 8000, 48000, VV_REQUIRED, "Of the sound, in hertz"),
    VV_END,
};

const struct vv_field aws_transcribe_reply[] = {
    VV_FIELD_TEXT("url", 0, 0, VV_REQUIRED, "wss://..., good for one language, once or again"),
    VV_FIELD_TIME("expires_at", VV_REQUIRED, "Until when it can be opened; a stream goes on"),
    VV_END,
};

static int transcribe_reply(struct vv_request *req, const struct aws_keys *keys)
{
    int64_t now = aws_now() / 1000000 * 1000000;
    const struct aws_pair query[] = {
        {"language-code", vv_body_text(req, "language_code")},
        {"media-encoding", vv_body_text(req, "media_encoding")},
        {"sample-rate", vv_printf(req, "%" PRId64, vv_body_int(req, "sample_rate"))},
        {NULL, NULL},
    };
    const struct aws_presign what = {
        .scheme = "wss",
        .host = aws_setup.stream_host,
        .path = "/stream-transcription-websocket",
        .region = aws_conf()->region,
        .service = "transcribe",
        .id = keys->id,
        .secret = keys->secret,
        .token = keys->token,
        .now = now,
        .expires = aws_conf()->presign_expires / AWS_SECOND,
        .query = query,
    };
    const char *url = aws_presign(req, &what);
    struct vv_json *json = vv_object(req);

    if (url == NULL)
        return vv_fail(req, 500, "not_signed", "The URL could not be signed");
    vv_put(json, "url", VV_TEXT(url));
    vv_put(json, "expires_at", VV_TIME(now + what.expires * 1000000));
    return vv_reply(req, 200, json);
}

int aws_transcribe_post(struct vv_request *req)
{
    return aws_grant(req, "/aws/transcribe-url", transcribe_reply);
}
