// npm run screenshots: builds the chat app and writes a picture of every view into screenshots/, which git ignores.
import { runInTests } from './lib/run-in-tests.mjs'

runInTests('screenshots')
