// A stand-in of AWS for tests and ./dev run: STS, EC2's metadata and the container endpoint; strict, and wrong on demand.
//
//   const aws = await startAws(t, {region, latency, tls: true, baseLifetime});
//   const server = await startServer(t, {plugins: ['auth', 'usage', 'aws'], aws});     its keys are in the environment
//   …POST /aws/credentials…
//   const [{policy, tags, sessionName, expiration}] = aws.issued;          what AssumeRole handed out, oldest first
//   await aws.verifyTranscribe(url)  → {holder, languageCode, mediaEncoding, sampleRate, signedAt, expiresAt}, or throws
//
// Where the server finds its own keys: startServer(t, {…, aws, env: aws.env('imds')}); 'keys' (the default), 'session',
//   'web', 'profile', 'container', 'container-file', 'imds', 'none': see account.mjs.
// What it was asked: aws.calls, aws.asked('AssumeRole') → [{params: {RoleArn, Tags: [{Key, Value}] …}, caller, issued,
//   headers, status, code, fault}]; metadata's are 'imds:token', 'imds:role', 'imds:credentials' ('imds': all), 'container'.
//   aws.peak('AssumeRole'): how many were under way at once; aws.lookup(accessKeyId): whose key that is.
// The account: aws.keys, aws.roleArn, aws.role (externalId, maxDuration, tagSession: false, allows), aws.addRole(name, more).
// Life: aws.rotate('instance' | 'task' | 'session'), aws.expire(holder), aws.revoke(holder), aws.base.instance,
//   aws.baseLifetime = 400, aws.stale = true (metadata goes on handing out what has expired), aws.webIdentityToken({lifetime}).
// Clock: aws.clockOffset = 3600 (seconds ahead; STS takes signatures five minutes off, and says its time in Date).
// Faults: aws.fail({action: 'AssumeRole', answer: 'throttle', times: 2}): see faults.mjs.
// Away: aws.off('imds'), aws.on('imds'), also 'sts' and 'container'; await aws.stop(); await aws.start().
import { cleanup, tempDir } from '../../lib/process.mjs';
import { makeCertificates } from '../certs.mjs';

export async function startAws(t, { tls, ...options } = {}) {
    // Loaded when it is wanted: every test file imports this one, and the signer behind it is large.
    const { AwsPeer } = await import('./server.mjs');
    const dir = tempDir(t, 'vv-aws-');
    const aws = new AwsPeer({ dir, tls: tls && await makeCertificates(dir), ...options });
    await aws.start();
    cleanup(t, () => aws.stop());
    return aws;
}
