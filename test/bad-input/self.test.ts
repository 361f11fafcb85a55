import { describeRows } from './play';
import { SELF_ROWS } from './self-rows';

describeRows(() => SELF_ROWS);
