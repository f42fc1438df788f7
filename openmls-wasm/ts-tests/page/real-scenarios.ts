/** The scenarios over the real engine, for the test runner. */

import { real } from './real.js';
import { refused } from './refusals.js';
import * as support from './support.js';

window.scenarios = { real, refused };
window.support = support;
