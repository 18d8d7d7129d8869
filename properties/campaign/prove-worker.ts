/**
 * The program of a worker that was started for a proof before anybody knows which: it loads what every proof needs
 * while the command line is being read.
 */
import './prove-task';

export { perform } from './worker';
