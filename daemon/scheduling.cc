// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/scheduling.h"

#include <pthread.h>
#include <sched.h>

#include <cstring>

#include "daemon/service/log.h"

namespace synward {

void pin_thread(unsigned worker, int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(cpu), &set);
  if (const int error = pthread_setaffinity_np(pthread_self(), sizeof set, &set); error != 0)
    service::log_warning("worker {} cannot be pinned to CPU {}: {}", worker, cpu,
                         std::strerror(error));
}

bool schedule_thread(unsigned worker, std::optional<int> priority) {
  sched_param parameter{};
  parameter.sched_priority = priority.value_or(0);
  const int policy = priority ? SCHED_FIFO : SCHED_OTHER;
  const int error = pthread_setschedparam(pthread_self(), policy, &parameter);
  if (error == 0) return true;
  service::log_warning(
      "worker {} cannot have realtime priority {}: {}; under systemd set LimitRTPRIO={} and "
      "remove RestrictRealtime",
      worker, parameter.sched_priority, std::strerror(error), parameter.sched_priority);
  return false;
}

}  // namespace synward
