// Streams: orders of work on a GPU; events: places in them; graphs: work recorded once, to be given to the GPU again as a whole.
// NVIDIA, CUDA C++ Programming Guide 13.0, chapter 6.2.8.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace pyengine::cuda {

class Event;

/// A new one, or the legacy default one of a GPU, whose handle is null. Kernels and copies of a thread go to its current stream on that GPU:
/// the default one until another is set.
class Stream {
public:
    explicit Stream(int device);
    static std::shared_ptr<Stream> default_of(int device);
    ~Stream();
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    cudaStream_t handle() const { return handle_; }
    int device() const { return device_; }
    void synchronize() const;
    /// Whether all its work is done.
    bool query() const;
    /// What is given to this stream later runs after the event.
    void wait(const Event& event) const;

private:
    Stream(cudaStream_t handle, int device) : handle_(handle), device_(device) {}

    cudaStream_t handle_ = nullptr;
    int device_;
};

/// Belongs to the GPU that it is first recorded on.
class Event {
public:
    explicit Event(bool timing) : timing_(timing) {}
    ~Event();
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;

    /// `device` is the stream's.
    void record(cudaStream_t stream, int device);
    void synchronize() const;
    bool query() const;
    /// Milliseconds from `start` to this event; both must have been recorded with timing.
    double elapsed_since(const Event& start) const;
    cudaEvent_t handle() const { return handle_; }

private:
    bool timing_;
    cudaEvent_t handle_ = nullptr;
};

/// Of the thread, on its current GPU.
cudaStream_t current_stream();
std::shared_ptr<Stream> current_stream_of(int device);
/// On the stream's GPU; it lives until it is current no more.
void set_current_stream(std::shared_ptr<Stream> stream);

/// Of kernels and copies given to a stream between begin_capture and end_capture; its memory is its own as long as it lives.
class Graph {
public:
    Graph();
    ~Graph();
    Graph(const Graph&) = delete;
    Graph& operator=(const Graph&) = delete;

    void begin_capture(int device);
    /// What was recorded is thrown away if it is not to be kept: then nothing was captured, and something else can be.
    void end_capture(bool keep);
    /// Gives all of it to the current stream.
    void replay();

    /// What a kernel leaves at `place`, if it is not -1, goes to `fail` when the CPU next waits after a replay.
    void check(const std::int64_t* place, std::function<void(std::int64_t)> fail);
    /// How many replays there were before the one that runs, in the GPU's memory.
    const std::int64_t* replays() const { return replays_; }
    void raise_faults();

private:
    struct Check {
        std::int64_t* found;  // pinned
        std::function<void(std::int64_t)> fail;
    };

    void drop_checks();

    std::shared_ptr<Stream> stream_, before_;
    int device_ = 0;
    std::uint64_t pool_;
    cudaGraphExec_t executable_ = nullptr;
    std::int64_t* replays_ = nullptr;
    std::int64_t replayed_ = 0;
    std::vector<Check> checks_;
};

/// While a stream of this thread is captured, the driver must be told that what is allocated and freed is no part of it.
class NotCaptured {
public:
    NotCaptured() { cudaThreadExchangeStreamCaptureMode(&mode_); }
    ~NotCaptured() { cudaThreadExchangeStreamCaptureMode(&mode_); }
    NotCaptured(const NotCaptured&) = delete;
    NotCaptured& operator=(const NotCaptured&) = delete;

private:
    cudaStreamCaptureMode mode_ = cudaStreamCaptureModeRelaxed;
};

/// Whether work of this thread is being recorded, not run.
bool capturing();
/// Graph::check and Graph::replays of the graph that is being recorded; without one, replays are null.
void check_after_replays(const std::int64_t* place, std::function<void(std::int64_t)> fail);
const std::int64_t* replays();
/// Raises what kernels of replayed graphs found wrong. To be called whenever the CPU has waited.
void raise_faults_of_replays();

}  // namespace pyengine::cuda
