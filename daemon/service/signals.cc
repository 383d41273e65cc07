// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/service/signals.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

namespace synward::service {

std::expected<Signals, std::string> Signals::block() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  if (const int error = pthread_sigmask(SIG_BLOCK, &set, nullptr); error != 0) {
    return std::unexpected(std::string("cannot block signals: ") + std::strerror(error));
  }
  if (std::signal(SIGPIPE, SIG_IGN) == SIG_ERR) {
    return std::unexpected(std::string("cannot ignore SIGPIPE: ") + std::strerror(errno));
  }
  const int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fd < 0) {
    return std::unexpected(std::string("cannot open a signalfd: ") + std::strerror(errno));
  }
  return Signals(fd);
}

Signals::Signals(Signals&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

Signals& Signals::operator=(Signals&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

Signals::~Signals() {
  if (fd_ >= 0) close(fd_);
}

std::optional<int> Signals::wait(std::chrono::milliseconds timeout) {
  pollfd ready{.fd = fd_, .events = POLLIN, .revents = 0};
  if (poll(&ready, 1, static_cast<int>(timeout.count())) <= 0) return std::nullopt;
  signalfd_siginfo info{};
  if (read(fd_, &info, sizeof info) != static_cast<ssize_t>(sizeof info)) return std::nullopt;
  return static_cast<int>(info.ssi_signo);
}

}  // namespace synward::service
