/** Makes the files of the conformance corpus. Run by scripts/make-conformance.sh. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import yargs from 'yargs';
import { corpusSchema, writeCorpus } from '../emulator/oracle/conformance/corpus-file';
import { makeVectors, UnexplainedVector } from '../emulator/oracle/conformance/make-corpus';
import { Qemu } from '../emulator/oracle/qemu';
import { SceneRun } from '../emulator/oracle/scenes/scene-run';
import { PCID_TEMPLATES, TEMPLATES } from '../emulator/oracle/scenes/scene-templates';
import { randomStream } from '../properties/exploration/seeded-random';
import { describeDifferences, PROGRAM, versionOrNotRun } from './qemu-options';

const ROOT = join(__dirname, '..');
const VECTORS = join(ROOT, 'emulator/oracle/conformance/vectors');

const ALL = [...TEMPLATES, ...PCID_TEMPLATES];

/** The schema is formatted when it is checked in. */
function withoutSpace(json: Uint8Array): Buffer {
  return Buffer.from(JSON.stringify(JSON.parse(Buffer.from(json).toString())));
}

async function main(): Promise<number> {
  const { count, seed, check } = await yargs(process.argv.slice(2))
    .scriptName('scripts/make-conformance.sh')
    .option('count', { type: 'number', default: 110, describe: 'vectors that are drawn of each kind' })
    .option('seed', { type: 'string', default: '1' })
    .option('check', {
      type: 'boolean',
      default: false,
      describe: 'write nothing; compare with the files that are there',
    })
    .strict()
    .version(false)
    .parseAsync();
  const version = versionOrNotRun();
  if (version === undefined) return 0;
  console.log(`seed ${seed}, ${count} vectors of each kind, ${version}`);
  mkdirSync(VECTORS, { recursive: true });
  const qemu = await Qemu.start(PROGRAM);
  let different = 0;
  let vectors = 0;
  const put = (path: string, bytes: Uint8Array) => {
    const text = path.endsWith('.gz') ? gunzipSync : withoutSpace;
    if (check && !(existsSync(path) && text(readFileSync(path)).equals(text(bytes)))) {
      console.log(`${path} is not what is made now`);
      different++;
    } else if (!check) writeFileSync(path, bytes);
  };
  try {
    const run = new SceneRun(qemu);
    for (const template of ALL) {
      const compared = TEMPLATES.includes(template) ? run : undefined;
      const file = await makeVectors(compared, template, { count, seed, qemu: version, stream: randomStream });
      vectors += file.vectors.length;
      put(join(VECTORS, `${template.name.replaceAll(' ', '-')}.json.gz`), writeCorpus(file));
    }
    const schema = `${JSON.stringify(corpusSchema(), undefined, 2)}\n`;
    put(join(ROOT, 'docs/conformance.schema.json'), Buffer.from(schema));
  } finally {
    qemu.stop();
  }
  console.log(`${vectors} vectors of ${ALL.length} kinds`);
  return different > 0 ? 1 : 0;
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: Error) => {
    console.error(`${error.name}: ${error.message}`);
    if (error instanceof UnexplainedVector) console.error(describeDifferences(error.differences).join('\n'));
    process.exitCode = 1;
  },
);
