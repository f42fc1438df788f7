/** The databases of earlier versions, for the test runner; which there are, the address says. */

import { fixtureScenarios } from './fixture.js';
import * as support from './support.js';

window.scenarios = { fixtures: fixtureScenarios(new URLSearchParams(location.search).getAll('fixture')) };
window.support = support;
