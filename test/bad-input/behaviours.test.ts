import { BEHAVIOUR_ROWS } from './behaviour-rows';
import { describeRows } from './play';

describeRows(() => BEHAVIOUR_ROWS);
