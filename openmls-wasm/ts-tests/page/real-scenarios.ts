/** The scenarios over the real engine, for the test runner. */

import { real } from './real.js';
import { realValidation } from './real-validation.js';
import { scenariosOf } from './refusals.js';
import { refusedCalls } from './refused-calls.js';
import { refusedMessages } from './refused-messages.js';
import * as support from './support.js';

window.scenarios = { real, realValidation, refusedCalls: scenariosOf(refusedCalls), refusedMessages: scenariosOf(refusedMessages) };
window.support = support;
