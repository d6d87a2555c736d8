// Uses the cache service of the environment with GitHub's own client, and fails at
// the first thing that is not as on GitHub.
import assert from 'node:assert/strict'
import {mkdtemp, readFile, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {pathToFileURL} from 'node:url'

const library = join(process.argv[2], 'node_modules/@actions/cache/lib/cache.js')
const {isFeatureAvailable, restoreCache, saveCache} = await import(pathToFileURL(library))
assert.ok(isFeatureAvailable())

const folder = await mkdtemp(join(tmpdir(), 'caches-'))
const file = join(folder, 'steps.txt')
const paths = [file]
const keep = async (key, content) => {
  await writeFile(file, content)
  return saveCache(paths, key)
}
const find = async (key, others) => {
  await rm(file, {force: true})
  return restoreCache(paths, key, others)
}

assert.equal(await find('steps-1', ['steps-']), undefined)
assert.ok(await keep('steps-1', 'of the first build') > 0)
assert.ok(await keep('steps-2', 'of the second build') > 0)
assert.equal(await keep('steps-1', 'of another'), -1) // it stays as it is

assert.equal(await find('steps-1'), 'steps-1')
assert.equal(await readFile(file, 'utf8'), 'of the first build')
assert.equal(await find('steps-3', ['tools-', 'steps-']), 'steps-2') // the newest
assert.equal(await readFile(file, 'utf8'), 'of the second build')
assert.equal(await find('tools-1', ['tools-']), undefined)
console.log('all as on GitHub')
