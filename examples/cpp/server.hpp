// One server: commands with arrays, telemetry, and the server's clock (docs/protocol.md).

#pragma once

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>
#include <zmq.hpp>

#include "observation.hpp"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the arrays of act are little-endian");

using nlohmann::json;

constexpr int kTimeoutMs = 2000;  // longest wait for a message

struct Refusal : std::runtime_error {
  explicit Refusal(const json& error)
      : std::runtime_error(error.at("code").get<std::string>() + ": " +
                           error.at("message").get<std::string>() + ". Fix: " +
                           error.at("fix").get<std::string>()),
        code(error.at("code")) {}
  std::string code;
};

// Commands, telemetry and clock of one run of one server.
class Server {
 public:
  Server(const std::string& address, std::string telemetry_address) {
    connect(commands_, address);
    welcome = ask({{"type", "hello"}, {"client", "act.cpp"}});
    if (telemetry_address.empty()) telemetry_address = welcome.at("telemetry_address");
    // No CONFLATE: velocities need two messages that follow each other.
    telemetry_.set(zmq::sockopt::subscribe, "");
    connect(telemetry_, telemetry_address);
  }

  // Sends a command and waits for its reply. Each array is one row, and so is `row` of the reply.
  json ask(json command, const Arrays& arrays = {}, int timeout_ms = kTimeoutMs) {
    command["id"] = ++count_;
    if (!instance_.empty()) command["instance"] = instance_;
    for (const auto& [name, row] : arrays)
      command["arrays"].push_back(
          {{"name", name}, {"dtype", "float32"}, {"shape", {1, row.size()}}});
    std::size_t left = arrays.size();
    send(command.dump(), left > 0);
    for (const auto& item : arrays) {
      const std::vector<float> row(item.second.begin(), item.second.end());
      send({reinterpret_cast<const char*>(row.data()), row.size() * sizeof(float)}, --left > 0);
    }
    commands_.set(zmq::sockopt::rcvtimeo, timeout_ms);
    for (;;) {
      const std::vector<std::string> frames = receive(commands_, zmq::recv_flags::none);
      if (frames.empty()) throw std::runtime_error("no answer");
      json reply = parse(frames[0]);
      if (reply.at("id") != count_ && reply.at("id") != 0) continue;
      if (reply.at("type") == "error") throw Refusal(reply);
      for (std::size_t i = 1; i < frames.size(); ++i)
        reply.at("arrays").at(i - 1)["row"] = numbers(frames[i]);
      return reply;
    }
  }

  // Reads telemetry until tick `due`; `earlier` and `newest` are then the last two messages.
  void observe(std::int64_t due) {
    do {
      auto frames = receive(telemetry_, zmq::recv_flags::none);
      if (frames.empty()) throw std::runtime_error("no telemetry");
      for (; !frames.empty(); frames = receive(telemetry_, zmq::recv_flags::dontwait)) {
        json message = parse(frames[0]);
        if (message.at("time") <= valid_from_) continue;
        if (!message.at("not_finite").empty()) throw std::runtime_error("telemetry is not finite");
        earlier = std::move(newest);
        newest = std::move(message);
      }
    } while (earlier.is_null() || newest.at("tick") < due);
  }

  // Drops the telemetry up to now, because the scene has jumped.
  void forget() {
    earlier = newest = nullptr;
    valid_from_ = time_;
  }

  double time() const { return time_; }  // newest server time, the reference_time of a command

  json welcome, earlier, newest;

 private:
  static void connect(zmq::socket_t& socket, const std::string& address) {
    socket.set(zmq::sockopt::linger, 0);
    socket.set(zmq::sockopt::immediate, 1);
    socket.set(zmq::sockopt::sndtimeo, kTimeoutMs);
    socket.set(zmq::sockopt::rcvtimeo, kTimeoutMs);
    socket.connect(address);
  }

  // Repeats a call of ZeroMQ that a signal interrupts.
  template <typename Call>
  static auto uninterrupted(Call call) {
    for (;;) {
      try {
        return call();
      } catch (const zmq::error_t& error) {
        if (error.num() != EINTR) throw;
      }
    }
  }

  void send(const std::string& frame, bool more) {
    const auto flags = more ? zmq::send_flags::sndmore : zmq::send_flags::none;
    if (!uninterrupted([&] { return commands_.send(zmq::buffer(frame), flags); }))
      throw std::runtime_error("no answer");
  }

  // Returns the frames of the next message; no frames after a timeout.
  static std::vector<std::string> receive(zmq::socket_t& socket, zmq::recv_flags flags) {
    std::vector<std::string> frames;
    zmq::message_t frame;
    do {
      if (!uninterrupted([&] { return socket.recv(frame, flags); })) return {};
      frames.push_back(frame.to_string());
    } while (frame.more());
    return frames;
  }

  static Vector numbers(const std::string& frame) {
    std::vector<float> row(frame.size() / sizeof(float));
    std::memcpy(row.data(), frame.data(), row.size() * sizeof(float));
    return Vector(row.begin(), row.end());
  }

  json parse(const std::string& frame) {
    json message = json::parse(frame);
    const std::string instance = message.at("instance");
    if (instance_.empty()) instance_ = instance;
    if (instance != instance_)
      throw std::runtime_error("another server answers, or the server was started again");
    time_ = std::max(time_, message.at("time").get<double>());
    return message;
  }

  zmq::context_t context_;
  zmq::socket_t commands_{context_, zmq::socket_type::dealer};
  zmq::socket_t telemetry_{context_, zmq::socket_type::sub};
  std::int64_t count_ = 0;
  std::string instance_;
  double time_ = 0.0, valid_from_ = 0.0;
};
