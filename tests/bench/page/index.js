// What the page of the benchmark offers to the script that drives it. Every function returns raw samples: judging them is
// done outside.
//
// | file | what it measures |
// |---|---|
// | `conversation.js` | messages of two members, alone and a thousand at once |
// | `groups.js` | opening, by the number of groups |
// | `members.js` | messages, by the number of members and of retained epochs |
// | `at-once.js` | a thousand calls at once, in groups in use |
// | `commits.js` | the own commit in a large group |
// | `vault.js` | what sealing costs |
// | `worker.js` | what takes long, on the page and in a worker |
// | `disk.js` | the size on the disk |
// | `soak.js` | long use |
//
// and `people.js`, `fixture.js` and `interleave.js`, which these use.
import * as atOnce from './at-once.js'
import * as commits from './commits.js'
import * as conversation from './conversation.js'
import * as disk from './disk.js'
import * as groups from './groups.js'
import * as members from './members.js'
import * as soak from './soak.js'
import * as vault from './vault.js'
import * as worker from './worker.js'

window.bench = { ...atOnce, ...commits, ...conversation, ...disk, ...groups, ...members, ...soak, ...vault, ...worker }
