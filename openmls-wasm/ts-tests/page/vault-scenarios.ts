/** The scenarios of the vault and of damaged records, for the test runner. */

import { damageScenarios } from './damage.js';
import * as support from './support.js';
import { vault } from './vault.js';

window.scenarios = { vault, damage: damageScenarios };
window.support = support;
