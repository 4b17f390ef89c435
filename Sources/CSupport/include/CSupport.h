#ifndef SEQTRAIN_SUPPORT_H
#define SEQTRAIN_SUPPORT_H

/// Has SIGUSR1, SIGTERM and SIGINT set a flag instead of ending the process. A second SIGINT ends it.
void st_catch_stop_signals(void);

/// The signal that was caught, or 0.
int st_caught_stop_signal(void);

/// The number of processors that this process may run on, or -1 where the system does not say.
int st_allowed_processors(void);

#endif
