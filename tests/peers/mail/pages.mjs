// The mail catcher's pages: what has arrived, newest first, and each mail as its reader would see it.
import http from 'node:http';

const STYLE = `body{font:16px/1.5 sans-serif;max-width:64em;margin:2em auto;padding:0 1em;color:#222}
a{color:#0b57d0}ol{list-style:none;padding:0}li a{display:grid;grid-template-columns:14em 1fr 10em;gap:1em;padding:.5em;
text-decoration:none;color:inherit;border-bottom:1px solid #ddd}li a:hover{background:#eef3fc}li b,li span{overflow:hidden;
text-overflow:ellipsis;white-space:nowrap}.note,dt,time{color:#666;font-size:.85em}dl{display:grid;
grid-template-columns:4em 1fr;margin:1em 0}dd{margin:0;overflow-wrap:anywhere}.parts{display:grid;
grid-template-columns:repeat(auto-fit,minmax(20em,1fr));gap:1em}iframe,pre{box-sizing:border-box;width:100%;height:32rem;
margin:0;border:1px solid #ccc;border-radius:4px;background:#fff}pre{padding:1em;overflow:auto;white-space:pre-wrap;
overflow-wrap:anywhere;font-size:.9em}`;

// A mail may hold anything: nothing in it runs or is fetched from elsewhere, and its links open beside it.
const SANDBOX = 'allow-popups allow-popups-to-escape-sandbox';
const MAIL_POLICY = `sandbox ${SANDBOX}; default-src 'none'; style-src 'unsafe-inline'; img-src data:`;
const PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; base-uri 'none'; form-action 'none'";
const REFRESH = 2; // seconds until the list looks again

const escape = (text) => String(text ?? '').replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
const pathOf = (mail) => `/mails/${encodeURIComponent(mail.file)}`;

/** Exim's maildir names begin with the second of arrival. */
const arrived = (mail) => new Date(Number.parseInt(mail.file, 10) * 1000);
const clock = (mail) => `<time datetime="${arrived(mail).toISOString()}">${arrived(mail).toLocaleString('sv')}</time>`;

function page(title, ...parts) {
    return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escape(title)}</title><style>${STYLE}</style>
${parts.join('\n')}
<p class="note">A mail catcher on this machine only: nothing here has been sent to anybody.</p></html>`;
}

const html = (body, headers) => ({
    status: 200, body,
    headers: { 'Content-Type': 'text/html; charset=utf-8', 'Content-Security-Policy': PAGE_POLICY, ...headers },
});

function list(mails) {
    const rows = mails.toReversed().map((mail) => `<li><a href="${escape(pathOf(mail))}"><span>${escape(mail.to)}</span>`
        + `<b>${escape(mail.subject || '(no subject)')}</b>${clock(mail)}</a></li>`);
    return html(page('Mails', '<h1>Mails</h1>', rows.length ? `<ol>${rows.join('\n')}</ol>` : '<p>None has arrived yet.</p>'),
        { Refresh: REFRESH });
}

/** Text for people: its addresses are links. */
const linked = (text) => text.split(/(https?:\/\/[^\s<>"]+)/).map((part, i) =>
    (i % 2 ? `<a href="${escape(part)}" target="_blank" rel="noopener noreferrer">${escape(part)}</a>` : escape(part))).join('');

function show(mail) {
    const { name, address } = mail.from ?? {};
    return html(page(mail.subject || '(no subject)', '<p><a href="/">All mails</a></p>',
        `<h1>${escape(mail.subject || '(no subject)')}</h1>`,
        `<dl><dt>From</dt><dd>${escape(name ? `${name} <${address}>` : address)}</dd><dt>To</dt><dd>${escape(mail.to)}</dd>`
        + `<dt>Arrived</dt><dd>${clock(mail)}</dd></dl>`,
        '<div class="parts">',
        mail.html ? `<iframe title="The mail as HTML" sandbox="${SANDBOX}" src="${escape(pathOf(mail))}/html"></iframe>` : '',
        mail.text ? `<pre aria-label="The mail as text">${linked(mail.text)}</pre>` : '',
        `</div><p><a href="${escape(pathOf(mail))}/source">Its source</a></p>`));
}

/** The HTML part, as the document of a frame without rights. */
const inFrame = (mail) => html(`<!doctype html><base target="_blank">${mail.html}`, { 'Content-Security-Policy': MAIL_POLICY });

const source = (mail) => ({ status: 200, body: mail.raw, headers: { 'Content-Type': 'text/plain; charset=utf-8' } });

export class MailPages {
    /** mail: an EximServer, or only its folder's view of one. */
    constructor(mail, port = 0) {
        this.mail = mail;
        this.port = port;
    }

    get url() { return `http://127.0.0.1:${this.port}/`; }
    urlOf(mail) { return new URL(pathOf(mail), this.url).href; }

    async start() {
        this.server = http.createServer((request, response) => this.#serve(request, response));
        await new Promise((resolve, reject) =>
            this.server.once('error', reject).listen(this.port, '127.0.0.1', resolve));
        this.port = this.server.address().port;
    }

    async stop() {
        this.server.close();
        this.server.closeAllConnections();
    }

    async #serve(request, response) {
        let answer;
        try {
            answer = await this.#answer(request);
        } catch (error) {
            answer = { status: 500, body: error.message };
        }
        const { status, body, headers = { 'Content-Type': 'text/plain; charset=utf-8' } } = answer;
        response.writeHead(status, {
            'Cache-Control': 'no-store', 'Referrer-Policy': 'no-referrer', 'X-Content-Type-Options': 'nosniff', ...headers,
        }).end(body);
    }

    async #answer({ method, url, headers }) {
        // The mails hold tokens: a page elsewhere whose name was made to point here is not let in.
        if (![`127.0.0.1:${this.port}`, `localhost:${this.port}`].includes(headers.host))
            return { status: 403, body: `These pages are ${this.url}` };
        if (method !== 'GET') return { status: 405, body: 'These pages are only read.', headers: { Allow: 'GET' } };
        const mails = await this.mail.messages();
        const [pathname] = url.split('?');
        if (pathname === '/') return list(mails);
        const mail = mails.find((m) => pathname === pathOf(m) || pathname.startsWith(`${pathOf(m)}/`));
        const shown = mail && { '': show, '/html': inFrame, '/source': source }[pathname.slice(pathOf(mail).length)];
        return shown ? shown(mail) : { status: 404, body: 'There is no such page.' };
    }
}
