// What an API test imports: the runner, the real server, a real PostgreSQL, a real mail server, and small steps.
export { default as test, after, afterEach, before, beforeEach, describe, it } from 'node:test';
export { default as assert } from 'node:assert/strict';
export { check, Server, startServer, vvctl } from './server.mjs';
export { SERVICE_TOKEN, TEST_SECRET, toIni } from './config.mjs';
export { freshDatabase, once, startPostgres } from './postgres.mjs';
export { dropIdle, raw, request } from './http.mjs';
export { BUILD, canConnect, cleanup, freePort, isAlive, mustRun, ROOT, run, spawnBound, tempDir, until } from './process.mjs';
export { login, newUser, PASSWORD, readMail, register, verify } from './accounts.mjs';
export { startFaultyMail, startMail } from '../peers/mail/index.mjs';
export { startAws } from '../peers/aws/index.mjs';
export { startStripe } from '../peers/stripe/index.mjs';
