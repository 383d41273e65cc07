// SPDX-License-Identifier: GPL-2.0-or-later
//
// Log lines to stderr, which is the journal under systemd. Safe from any thread; each message is
// one write. Nothing here belongs on the path of a packet: what can repeat has a counter, and a
// RateLimitedLog if it is worth a line at all.
#pragma once
#include <fmt/core.h>

#include <chrono>
#include <cstdint>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace synward::service {

// Priorities of syslog(3).
enum class LogLevel { error = 3, warning = 4, info = 6, debug = 7 };
enum class LogStyle { human, journal };

// "synward: error: text" or "<3>text", and a newline. A text of several lines gets the prefix on
// each: the journal makes an entry of every line.
std::string format_log(LogLevel level, std::string_view text, LogStyle style);

// Whether `fd` is the stream that `journal_stream`, the variable JOURNAL_STREAM, describes. Null
// if the variable is not set.
bool is_journal_stream(const char* journal_stream, int fd);

// Debug lines are off until this is called (-v).
void enable_debug_log(bool enabled);
bool is_log_enabled(LogLevel level);
void write_log(LogLevel level, std::string_view text);

// Instead of a line for which there is no memory: who logs need not expect an exception.
void write_no_memory() noexcept;

template <typename... Args>
void log_at(LogLevel level, fmt::format_string<Args...> format, Args&&... args) {
  if (!is_log_enabled(level)) return;
  try {
    write_log(level, fmt::format(format, std::forward<Args>(args)...));
  } catch (const std::bad_alloc&) {
    write_no_memory();
  }
}

template <typename... Args>
void log_error(fmt::format_string<Args...> format, Args&&... args) {
  log_at(LogLevel::error, format, std::forward<Args>(args)...);
}

template <typename... Args>
void log_warning(fmt::format_string<Args...> format, Args&&... args) {
  log_at(LogLevel::warning, format, std::forward<Args>(args)...);
}

template <typename... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
  log_at(LogLevel::info, format, std::forward<Args>(args)...);
}

template <typename... Args>
void log_debug(fmt::format_string<Args...> format, Args&&... args) {
  log_at(LogLevel::debug, format, std::forward<Args>(args)...);
}

// One kind of message: `burst` of them at once, then one per `interval`. What was held back in
// between is told by the next one that passes. Keep one object per kind, so that a frequent
// message cannot silence a rare one.
class RateLimitedLog {
 public:
  using Clock = std::chrono::steady_clock;

  RateLimitedLog(LogLevel level, std::uint32_t burst, Clock::duration interval);

  template <typename... Args>
  void log(fmt::format_string<Args...> format, Args&&... args) {
    log_at_time(Clock::now(), format, std::forward<Args>(args)...);
  }

  template <typename... Args>
  void log_at_time(Clock::time_point now, fmt::format_string<Args...> format, Args&&... args) {
    if (!is_log_enabled(level_)) return;
    const std::optional<std::uint64_t> suppressed = admit(now);
    if (!suppressed) return;
    try {
      write(fmt::format(format, std::forward<Args>(args)...), *suppressed);
    } catch (const std::bad_alloc&) {
      write_no_memory();
    }
  }

 private:
  // Takes a token: how many messages were held back since the last token, nullopt if none is left.
  std::optional<std::uint64_t> admit(Clock::time_point now);
  void write(std::string text, std::uint64_t suppressed) const;

  const LogLevel level_;
  const Clock::duration interval_;
  const Clock::duration tolerance_;  // how far full_at_ may be ahead of now and a token be left
  std::mutex mutex_;
  Clock::time_point full_at_;  // when the bucket will have all its tokens again
  std::uint64_t suppressed_ = 0;
};

}  // namespace synward::service
