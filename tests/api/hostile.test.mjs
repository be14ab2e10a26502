// Plugins that no server should start with: each is refused with a sentence that says what to do, and none does harm while off.
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { assert, BUILD, check, mustRun, tempDir, test } from '../lib/harness.mjs';

const AGAIN = 'is empty or cut short; build or install it again';
const SDK = (await mustRun(path.join(BUILD, 'bin/vvserverd'), ['--version'])).stdout.match(/SDK (\d+\.(\d+))/);
const BUILD_AGAIN = `of the SDK, and this server has ${SDK[1]}; build it with the headers of this server`;
const FILL = 'let VV_PLUGIN(...) fill that in';

/** A plugin folder with every hostile file, those that no compiler makes included, and the good hello. */
function hostileDir(t) {
    const dir = path.join(tempDir(t), 'plugins');
    const built = path.join(BUILD, 'tests/hostile');
    const hello = path.join(BUILD, 'lib/vvserver/examples/hello.so');
    mkdirSync(dir);
    for (const file of readdirSync(built).filter((name) => name.endsWith('.so')))
        symlinkSync(path.join(built, file), path.join(dir, file));
    symlinkSync(hello, path.join(dir, 'hello.so'));
    writeFileSync(path.join(dir, 'empty.so'), '');
    writeFileSync(path.join(dir, 'text.so'), 'This is not what a linker makes, but it is long enough to be looked at.\n');
    cpSync(hello, path.join(dir, 'cut.so'));
    truncateSync(path.join(dir, 'cut.so'), 4096);
    const foreign = readFileSync(hello);
    foreign.writeUInt16LE(foreign.readUInt16LE(18) === 183 ? 62 : 183, 18); // ELF's e_machine: the other of arm64 and amd64
    writeFileSync(path.join(dir, 'foreign.so'), foreign);
    return dir;
}

/** What --check says of a server on which these plugins are enabled. */
async function refusal(t, dir, ...names) {
    const config = { server: { plugin_dir: dir } };
    for (const name of names) config[name] = { enabled: 'true' };
    const { code, stdout, stderr } = await check(t, config);
    assert.equal(code, 1, `${names}: ${stdout}${stderr}`);
    assert.equal(stdout, '');
    return stderr.split('\n').filter((line) => line && !/ warning /.test(line)).map((line) => line.replaceAll(dir, 'DIR'));
}

const sentences = {
    empty: `DIR/empty.so ${AGAIN}`,
    cut: `DIR/cut.so ${AGAIN}`,
    text: 'DIR/text.so is no shared object; build or install it again',
    foreign: 'DIR/foreign.so was built for another kind of machine; build it for this one',
    nosymbol: 'DIR/nosymbol.so exports no symbol vv_plugin; end its main file with VV_PLUGIN(...)',
    function: 'the symbol vv_plugin of DIR/function.so is not data; let VV_PLUGIN(...) define it',
    size0: `its descriptor says it has 0 bytes, and the file has 16; ${FILL}`,
    toobig: `its descriptor says it has 1000000 bytes, and the file has 16; ${FILL}`,
    major99: 'it is built for version 99.3 of the SDK, and this server has 0.3; build it with the headers of this server',
    minor99: `it is built for version 0.99 ${BUILD_AGAIN}`,
    misnamed: "its descriptor calls it 'hello'; name the file hello.so, or the plugin 'misnamed'",
    promises: "it provides 'stars/1' but did not publish it; call vv_publish() in init",
    endless: 'its table of hooks does not end; its last element must be VV_END',
    stray: "its table of routes is not in the plugin's own memory; make it a static array",
    stride: `it says that an element of its limits has 3 bytes, which cannot be; ${FILL}`,
    deep: 'its fields have fields more than 8 levels deep; flatten them',
    limitless: "route '/limitless' has the limit 'nobody', which nobody declares; add it to the plugin's table of limits",
    perhaps: "limits[0]: 'perhaps' is counted per something that this server does not know",
};

test('a plugin that is unfit is refused, and the sentence says what to do', async (t) => {
    const dir = hostileDir(t);
    for (const [name, sentence] of Object.entries(sentences)) {
        const said = (await refusal(t, dir, name)).map((line) => line.replace(/^plugin '[a-z0-9]+': /, ''));
        // A sanitizer puts space around what it watches, which is then a part of the symbol.
        assert.deepEqual(said.map((line) => line.replace(/the file has \d+/, 'the file has 16')), [sentence], name);
        assert.match((await refusal(t, dir, name))[0], new RegExp(`^plugin '${name}'`));
    }
});

test('a table with many mistakes is told all of them', async (t) => {
    const dir = hostileDir(t);
    assert.deepEqual(await refusal(t, dir, 'options'), [
        "options[0]: 'flag' needs a member of 8 bytes, and the struct's has 1; see the type of that member in <vv/option.h>",
        "options[1]: the default of 'number' must be a whole number, from 1 to 9, not 'ten'",
        "options[2]: 'number' is in the table twice; take one out",
        "options[3]: 'Word' is no name for a key; use a-z, 0-9 and '_', and not 'enabled'",
        "options[4]: 'future' has type 77, which does not exist; use a macro VV_OPTION_...",
        "options[5]: 'far' lies outside of the struct's 24 bytes; set .conf_size to the struct's size",
        "options[6]: 'none' has no choices; write them as \"a|b|c\"",
    ].map((line) => `plugin 'options': ${line}`));
    assert.deepEqual(await refusal(t, dir, 'families'), [
        "sections[0]: 'Plan' is no name for a family of sections; use a-z, 0-9, '_' and '-'",
        "sections[1]: 'empty' has a struct of 0 bytes; write it with VV_SECTION(...)",
        "sections[2]: 'bare' has no options; give it a table of them",
        "options of [item:...][0]: 'flag' needs a member of 8 bytes, and the struct's has 1; see the type of that member in "
            + '<vv/option.h>',
        "options of [item:...][1]: 'far' lies outside of the struct's 16 bytes; write the section with VV_SECTION(...)",
    ].map((line) => `plugin 'families': ${line}`));
    assert.deepEqual(await refusal(t, dir, 'routes'), [
        "routes[0]: the pattern 'notes' must begin with '/'",
        "routes[1]: the pattern '/notes/' must not have an empty segment, nor end with '/'",
        "routes[2]: the pattern '/notes/a{id}' must be of letters, digits and '-._~', with {name} for what varies",
        "routes[3]: the pattern '/notes/{Id}' must have names of a-z, 0-9 and '_' in {}",
        "routes[4]: the pattern '/no tes' must be of letters, digits and '-._~', with {name} for what varies",
        "routes[5]: method 99 of '/method' does not exist; see enum vv_method",
        "routes[6]: caller 99 of '/caller' does not exist; see enum vv_who",
        "routes[7]: '/handler' has no handler; give it a function",
        "routes[8]: field 'mood' of its body has no choices; write them as \"a|b|c\"",
        "routes[8]: field 'word' of its body has a minimum above its maximum",
        "routes[8]: field 'word' is in its body twice; take one out",
    ].map((line) => `plugin 'routes': ${line}`));
});

test('a limit of users needs a user, and a name has one meaning', async (t) => {
    const unknown = 'which counts the calls of a user, but who calls is not known before its handler runs; name one per address';
    assert.deepEqual(await refusal(t, hostileDir(t), 'counted'), [
        "plugin 'counted': its limit 'user' counts per address, and another of that name does not; give it a name of its own",
        `plugin 'counted': route '/counted' has the limit 'counted', ${unknown}`,
        `plugin 'counted': route '/counted/self' has the limit 'counted', ${unknown}`]);
});

test('what plugins need of one another is looked at before any of them starts', async (t) => {
    const dir = hostileDir(t);
    assert.deepEqual(await refusal(t, dir, 'needy'), [
        "plugin 'needy' needs service 'moon/1', which no enabled plugin provides; install a plugin that does, or set "
        + '[needy] enabled = false']);
    assert.deepEqual(await refusal(t, dir, 'ring-a', 'ring-b'), [
        "plugin 'ring-b' needs service 'ring-c/1', which no enabled plugin provides; plugin 'ring-c' does: set [ring-c] "
        + 'enabled = true']);
    assert.deepEqual(await refusal(t, dir, 'ring-a', 'ring-b', 'ring-c'), [
        'plugins need one another in a circle: ring-a -> ring-b -> ring-c -> ring-a; set enabled = false for one of them']);
    assert.deepEqual(await refusal(t, dir, 'hello', 'clash'), [
        "'clash' and 'hello' both have the route GET /hello; enable only one of them"]);
});

test('a plugin whose init refuses stops the start with its own sentence, and all that refuse are heard', async (t) => {
    const dir = hostileDir(t);
    assert.deepEqual(await refusal(t, dir, 'initfails', 'initsilent', 'hello'), [
        '[initfails] moon is not full; wait for the 14th',
        "[initsilent] init() of plugin 'initsilent' returned -2 without saying why; it should end with vv_fail()"]);
});

test('plugins that are off harm nobody, and are warned about', async (t) => {
    const dir = hostileDir(t);
    const { code, stdout, stderr } = await check(t, { server: { plugin_dir: dir }, hello: { enabled: 'true' } });
    assert.equal(code, 0, stderr);
    assert.equal(stdout, 'configuration is valid\n');
    for (const name of ['empty', 'foreign', 'major99', 'endless', 'options'])
        assert.match(stderr, new RegExp(`warning .*plugin '${name}': `));
    // Their sections are still looked at, as far as they can be read.
    const wrong = await check(t, { server: { plugin_dir: dir }, hello: { enabled: 'false', greting: 'Hi' } });
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /^vvserver.ini:6: \[hello\] unknown key 'greting'; did you mean 'greeting'\?$/m);
});
