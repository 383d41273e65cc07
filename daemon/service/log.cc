// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/service/log.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>

namespace synward::service {
namespace {

std::atomic<bool> debug_enabled{false};

LogStyle stderr_style() {
  static const LogStyle style = is_journal_stream(std::getenv("JOURNAL_STREAM"), STDERR_FILENO)
                                    ? LogStyle::journal
                                    : LogStyle::human;
  return style;
}

std::string_view level_word(LogLevel level) {
  switch (level) {
    case LogLevel::error:
      return "error";
    case LogLevel::warning:
      return "warning";
    case LogLevel::info:
      return "info";
    case LogLevel::debug:
      return "debug";
  }
  return "error";
}

void write_all(std::string_view rest) {
  while (!rest.empty()) {
    const ssize_t written = ::write(STDERR_FILENO, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;  // nobody is left to be told
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace

std::string format_log(LogLevel level, std::string_view text, LogStyle style) {
  const std::string prefix = style == LogStyle::journal
                                 ? fmt::format("<{}>", static_cast<int>(level))
                                 : fmt::format("synward: {}: ", level_word(level));
  while (text.ends_with('\n')) text.remove_suffix(1);
  std::string lines = prefix;
  for (const char c : text) {
    lines += c;
    if (c == '\n') lines += prefix;
  }
  lines += '\n';
  return lines;
}

bool is_journal_stream(const char* journal_stream, int fd) {
  struct stat status{};
  if (journal_stream == nullptr || fstat(fd, &status) != 0) return false;
  return std::string_view(journal_stream) == fmt::format("{}:{}", status.st_dev, status.st_ino);
}

void enable_debug_log(bool enabled) {
  debug_enabled.store(enabled, std::memory_order_relaxed);
}

bool is_log_enabled(LogLevel level) {
  return level != LogLevel::debug || debug_enabled.load(std::memory_order_relaxed);
}

void write_log(LogLevel level, std::string_view text) {
  write_all(format_log(level, text, stderr_style()));
}

void write_no_memory() noexcept {
  write_all("synward: no memory for a line of the log\n");
}

RateLimitedLog::RateLimitedLog(LogLevel level, std::uint32_t burst, Clock::duration interval)
    : level_(level),
      interval_(interval),
      tolerance_(interval * (std::max<std::uint32_t>(burst, 1) - 1)),
      full_at_(Clock::time_point::min()) {}

std::optional<std::uint64_t> RateLimitedLog::admit(Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  const Clock::time_point base = std::max(full_at_, now);
  if (base - now > tolerance_) {
    ++suppressed_;
    return std::nullopt;
  }
  full_at_ = base + interval_;
  return std::exchange(suppressed_, 0);
}

void RateLimitedLog::write(std::string text, std::uint64_t suppressed) const {
  if (suppressed > 0) text += fmt::format(" ({} similar messages suppressed)", suppressed);
  write_log(level_, text);
}

}  // namespace synward::service
