/** The scenarios of snapshots, for the test runner. */

import { snapshot } from './snapshot.js';
import * as support from './support.js';

window.scenarios = { snapshot };
window.support = support;
