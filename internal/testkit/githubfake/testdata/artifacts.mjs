// Uses the artifact service of the environment with GitHub's own client, and
// fails at the first thing that is not as on GitHub.
import assert from 'node:assert/strict'
import {mkdtemp, readFile, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {pathToFileURL} from 'node:url'

const library = join(process.argv[2], 'node_modules/@actions/artifact/lib/artifact.js')
const {DefaultArtifactClient} = await import(pathToFileURL(library))
const client = new DefaultArtifactClient()

const folder = await mkdtemp(join(tmpdir(), 'artifacts-'))
const file = join(folder, 'state.txt')
await writeFile(file, 'the state of the shop')

const made = await client.uploadArtifact('state', [file], folder, {retentionDays: 5})
assert.ok(made.id > 0)
await assert.rejects(client.uploadArtifact('state', [file], folder), /409|already exists/)

const {artifacts} = await client.listArtifacts()
assert.deepEqual(artifacts.map(a => [a.name, a.id]), [['state', made.id]])
assert.equal(artifacts[0].digest, 'sha256:' + made.digest)
assert.equal((await client.getArtifact('state')).artifact.id, made.id)

const inside = await client.downloadArtifact(made.id, {path: join(folder, 'inside'), expectedHash: 'sha256:' + made.digest})
assert.equal(inside.digestMismatch, false)
assert.equal(await readFile(join(folder, 'inside', 'state.txt'), 'utf8'), 'the state of the shop')

const findBy = {
  token: process.env.GITHUB_TOKEN, workflowRunId: Number(process.env.GITHUB_RUN_ID), repositoryOwner: 'acme', repositoryName: 'shop'
}
assert.equal((await client.getArtifact('state', {findBy})).artifact.id, made.id)
await client.downloadArtifact(made.id, {path: join(folder, 'outside'), findBy})
assert.equal(await readFile(join(folder, 'outside', 'state.txt'), 'utf8'), 'the state of the shop')

assert.equal((await client.deleteArtifact('state')).id, made.id)
assert.deepEqual((await client.listArtifacts()).artifacts, [])
await assert.rejects(client.getArtifact('state'), /not found/)
console.log('all as on GitHub')
