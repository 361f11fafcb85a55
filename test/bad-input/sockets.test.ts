import { describeRows } from './play';
import { SOCKET_ROWS } from './socket-rows';

describeRows(() => SOCKET_ROWS);
