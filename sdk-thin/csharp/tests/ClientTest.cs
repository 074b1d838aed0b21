using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Net;
using System.Net.Sockets;
using System.Reflection;
using System.Text;
using System.Text.RegularExpressions;
using System.Threading;
using System.Threading.Tasks;
using Tailslide;
using Map = System.Collections.Generic.Dictionary<string, object>;

/// <summary>A sidecar on a free port. The function gets a request's body and says what is written; null ends the connection.</summary>
internal sealed class FakeSidecar : IDisposable
{
    private readonly TcpListener _listener;
    private readonly Func<string, Stream, string> _answer;
    private readonly ConcurrentBag<TcpClient> _clients = new ConcurrentBag<TcpClient>();

    public FakeSidecar(Func<string, Stream, string> answer, int port = 0)
    {
        _answer = answer;
        _listener = new TcpListener(IPAddress.Loopback, port);
        _listener.Start();
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        new Thread(Accept) { IsBackground = true }.Start();
    }

    public int Port { get; }

    public string Url => $"http://127.0.0.1:{Port}";

    public int Accepted => _clients.Count;

    /// <summary>Head and body of each.</summary>
    public BlockingCollection<string> Requests { get; } = new BlockingCollection<string>();

    public static string Http(string body, string status = "200 OK", string headers = "")
        => $"HTTP/1.1 {status}\r\nContent-Length: {Encoding.UTF8.GetByteCount(body)}\r\n{headers}\r\n{body}";

    public static string Evaluation(string value = "\"on\"")
        => Http($"{{\"key\":\"f\",\"value\":{value},\"variant\":\"on\",\"reason\":\"STATIC\",\"metadata\":{{\"active\":true,\"version\":3}}}}");

    public void Dispose()
    {
        _listener.Stop();
        foreach (var client in _clients)
            client.Close();
    }

    private void Accept()
    {
        try
        {
            while (true)
            {
                var client = _listener.AcceptTcpClient();
                _clients.Add(client);
                new Thread(() => Serve(client)) { IsBackground = true }.Start();
            }
        }
        catch (Exception)
        {
            // Stopped.
        }
    }

    private void Serve(TcpClient client)
    {
        try
        {
            var stream = client.GetStream();
            while (true)
            {
                var head = new StringBuilder();
                while (!head.ToString().EndsWith("\r\n\r\n"))
                {
                    int next = stream.ReadByte();
                    if (next < 0)
                        return;
                    head.Append((char)next);
                }
                var length = Regex.Match(head.ToString(), "content-length: ([0-9]+)", RegexOptions.IgnoreCase);
                var body = new byte[length.Success ? int.Parse(length.Groups[1].Value) : 0];
                for (int got = 0; got < body.Length;)
                    got += stream.Read(body, got, body.Length - got);
                Requests.Add(head + Encoding.UTF8.GetString(body));
                string answer = _answer(Encoding.UTF8.GetString(body), stream);
                if (answer == null)
                    return;
                byte[] bytes = Encoding.GetEncoding("iso-8859-1").GetBytes(answer);
                stream.Write(bytes, 0, bytes.Length);
            }
        }
        catch (Exception e) when (e is IOException || e is ObjectDisposedException)
        {
            // The client has gone, or the test is over.
        }
        finally
        {
            client.Close();
        }
    }
}

/// <summary>Runs each Test… method.</summary>
internal static class ClientTest
{
    private static readonly TimeSpan Never = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan Patient = TimeSpan.FromSeconds(2);

    private static int Main()
    {
        WarmUp();
        int failures = 0;
        var tests = typeof(ClientTest).GetMethods(BindingFlags.NonPublic | BindingFlags.Static)
            .Where(method => method.Name.StartsWith("Test", StringComparison.Ordinal)).ToList();
        foreach (var test in tests)
        {
            try
            {
                test.Invoke(null, null);
            }
            catch (TargetInvocationException e)
            {
                failures++;
                Console.WriteLine($"{test.Name}: {e.InnerException}");
            }
        }
        Console.WriteLine($"{tests.Count} tests, {failures} failures");
        return failures == 0 ? 0 : 1;
    }

    /// <summary>A runtime that compiles while it runs takes long over the first question.</summary>
    private static void WarmUp()
    {
        using (var fake = new FakeSidecar((body, stream) => FakeSidecar.Evaluation()))
        using (var client = new TailslideClient(fake.Url, timeout: Patient))
        {
            client.IsActive("f");
            client.IsActiveAsync("f").Wait();
        }
    }

    private static void Equal(object expected, object actual, string of = "")
    {
        if (!Equals(expected, actual))
            throw new Exception($"{of} expected {expected}, got {actual}");
    }

    private static string Errors(FakeSidecar fake)
    {
        using (var client = new TailslideClient(fake.Url))
            return Error(client);
    }

    /// <summary>The error of a blocking and of an asynchronous question, which have to be the same, and in time.</summary>
    private static string Error(TailslideClient client)
    {
        var watch = Stopwatch.StartNew();
        var evaluation = client.Evaluate("f", "u", null, "d");
        var later = client.EvaluateAsync("f", "u", null, "d").Result;
        Equal(true, watch.ElapsedMilliseconds < 400, $"{watch.ElapsedMilliseconds} ms:");
        Equal(evaluation.Error, later.Error, "asynchronous:");
        Equal(evaluation.Error == "" ? "on" : "d", evaluation.Value);
        return evaluation.Error;
    }

    private static int FreePort()
    {
        var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        int port = ((IPEndPoint)listener.LocalEndpoint).Port;
        listener.Stop();
        return port;
    }

    private static void TestQuestionAsSentAndAnswerAsRead()
    {
        using (var fake = new FakeSidecar((body, stream) => FakeSidecar.Evaluation("\"bl\\u00fce\"")))
        using (var client = new TailslideClient(fake.Url, "t0k3n", timeout: Patient))
        {
            var attributes = new Map { ["country"] = "DE", ["targetingKey"] = "no", ["list"] = new object[] { 1, 2.5, null, true } };
            var evaluation = client.Evaluate("a b/ü", "user-42", attributes, "red");
            string request = fake.Requests.Take();
            Equal(true, request.StartsWith("POST /ofrep/v1/evaluate/flags/a%20b%2F%C3%BC HTTP/1.1\r\n"), request);
            Equal(true, request.Contains("Authorization: Bearer t0k3n\r\n"), request);
            Equal(true, request.EndsWith("\r\n\r\n{\"context\":{\"country\":\"DE\",\"list\":[1,2.5,null,true],\"targetingKey\":\"user-42\"}}"), request);
            Equal("blüe on True STATIC 3  ", string.Join(" ", evaluation.Value, evaluation.Variant, evaluation.Active,
                evaluation.Reason, evaluation.Metadata["version"], evaluation.Error, evaluation.ErrorDetails));
            Equal(true, client.IsActive("f"));
            Equal(true, client.IsActiveAsync("f").Result);
            Equal("on", client.Variant("f", "u", null, "off"));
            Equal("on", client.VariantAsync("f", "u", null, "off").Result);
        }
    }

    private static void TestEmptyFlagIsNotAskedForAndPausesNothing()
    {
        using (var fake = new FakeSidecar((body, stream) => FakeSidecar.Evaluation()))
        using (var client = new TailslideClient(fake.Url, timeout: Patient))
        {
            var errors = new[] { "", null, "", null, "", null }.Select(flag => client.Evaluate(flag, "u", null, "d").Error);
            Equal("FLAG_NOT_FOUND", string.Join(" ", errors.Distinct()));
            Equal("", Error(client));
        }
    }

    private static void TestValueHasTheTypeOfTheDefault()
    {
        string value = "";
        using (var fake = new FakeSidecar((body, stream) => FakeSidecar.Evaluation(value)))
        using (var client = new TailslideClient(fake.Url, timeout: Patient))
        {
            value = "5";
            Equal(5, client.Value("f", "u", null, 1));
            Equal(5L, client.Value("f", "u", null, 1L));
            Equal(5.0, client.ValueAsync("f", "u", null, 1.0).Result);
            Equal("s", client.Value("f", "u", null, "s"));
            Equal(true, client.Value("f", "u", null, true));
            Equal(5L, client.Value<object>("f", "u", null, null));
            value = "5.0";
            Equal(5, client.Value("f", "u", null, 1));
            value = "5.5";
            Equal(1, client.Value("f", "u", null, 1));
            Equal(5.5m, client.Value("f", "u", null, 1m));
            value = "5e10";
            Equal(1, client.Value("f", "u", null, 1));
            value = "{\"a\":[1]}";
            Equal(1, client.Value("f", "u", null, new Map()).Count);
            Equal("", client.Evaluate("f", "u", null, new Map()).Error);
            Equal(4L, client.Stats().Defaults["TYPE_MISMATCH"]);
        }
    }

    private static void TestAnswersThatCannotBeUsed()
    {
        var answers = new Dictionary<string, string[]>
        {
            ["INVALID_RESPONSE"] = new[]
            {
                "\0\xff garbage\n", FakeSidecar.Http("{"), FakeSidecar.Http("[]"), FakeSidecar.Http("{}"),
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\xff\xff", "HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n",
                FakeSidecar.Http(new string('[', 100000)),
            },
            ["GENERAL"] = new[] { FakeSidecar.Http("oops", "500 Internal"), FakeSidecar.Http("{}", "401 Unauthorized") },
            ["FLAG_NOT_FOUND"] = new[] { FakeSidecar.Http("{\"errorCode\": \"FLAG_NOT_FOUND\"}", "404 Not Found") },
        };
        foreach (var pair in answers)
        {
            foreach (string answer in pair.Value)
            {
                using (var fake = new FakeSidecar((body, stream) => answer))
                    Equal(pair.Key, Errors(fake), answer.Substring(0, Math.Min(60, answer.Length)));
            }
        }
    }

    private static void TestHalfAnAnswerIsBroken()
    {
        using (var fake = new FakeSidecar((body, stream) =>
        {
            stream.Write(Encoding.ASCII.GetBytes(FakeSidecar.Evaluation()), 0, 60);
            return null;
        }))
            Equal("BROKEN", Errors(fake));
    }

    private static void TestDeadlineHoldsForSilenceAndForATrickle()
    {
        using (var fake = new FakeSidecar((body, stream) =>
        {
            stream.ReadByte();
            return null;
        }))
            Equal("TIMEOUT", Errors(fake));
        using (var fake = new FakeSidecar((body, stream) =>
        {
            foreach (byte letter in Encoding.ASCII.GetBytes(FakeSidecar.Evaluation()))
            {
                stream.WriteByte(letter);
                Thread.Sleep(20);
            }
            return null;
        }))
            Equal("TIMEOUT", Errors(fake));
    }

    private static void TestChunkedAnswersAfterInterimOnes()
    {
        string body = FakeSidecar.Evaluation().Split(new[] { "\r\n\r\n" }, StringSplitOptions.None)[1];
        string chunked = "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            + $"5;x=y\r\n{body.Substring(0, 5)}\r\n{body.Length - 5:x}\r\n{body.Substring(5)}\r\n0\r\nTrailer: x\r\n\r\n";
        using (var fake = new FakeSidecar((question, stream) => chunked))
        {
            Equal("", Errors(fake));
            Equal(1, fake.Accepted);
        }
    }

    private static void TestKeptConnectionThatEndsIsReplacedOnce()
    {
        var served = new ConcurrentDictionary<Stream, bool>();
        using (var fake = new FakeSidecar((body, stream) => served.TryAdd(stream, true) ? FakeSidecar.Evaluation() : null))
        using (var client = new TailslideClient(fake.Url, timeout: Patient))
        {
            Equal("", Error(client));
            Equal("", Error(client));
            Equal(4, fake.Accepted);
        }
    }

    private static void TestPauseAfterFiveTroublesAndItsEnd()
    {
        int port = FreePort();
        using (var client = new TailslideClient($"http://127.0.0.1:{port}"))
        {
            var errors = Enumerable.Range(0, 7).Select(question => client.Evaluate("f", "u", null, "d").Error);
            Equal("REFUSED REFUSED REFUSED REFUSED REFUSED PAUSED PAUSED", string.Join(" ", errors));
            using (new FakeSidecar((body, stream) => FakeSidecar.Evaluation(), port))
            {
                var watch = Stopwatch.StartNew();
                while (client.Evaluate("f", "u", null, "d").Error != "")
                    Thread.Yield();
                Equal(true, watch.ElapsedMilliseconds < 300, $"{watch.ElapsedMilliseconds} ms:");
            }
        }
    }

    private static void TestNothingThrowsWhateverIsPassed()
    {
        using (var fake = new FakeSidecar((body, stream) => FakeSidecar.Evaluation()))
        {
            var client = new TailslideClient(fake.Url, timeout: Patient);
            var circle = new Map();
            circle["circle"] = circle;
            foreach (var attributes in new[] { circle, new Map { ["a"] = double.NaN }, new Map { ["a"] = new object() } })
                Equal("INVALID_CONTEXT", client.Evaluate("f", "u", attributes, null).Error);
            Equal(true, client.IsActive("\ud800", "\ud800", new Map { ["a"] = "\ud800", ["b"] = new Dictionary<string, int> { ["c"] = 1 } }));
            client.Success(null, TimeSpan.MinValue);
            client.Failure("\ud800", TimeSpan.MaxValue);
            client.Dispose();
            client.Success("f");
            Equal("CLOSED", client.EvaluateAsync("f", "u", null, null).Result.Error);
        }
    }

    private static void TestSettingsThatCannotBeRight()
    {
        var makers = new Func<TailslideClient>[]
        {
            () => new TailslideClient("https://h"), () => new TailslideClient("h:1"), () => new TailslideClient("http://h/path"),
            () => new TailslideClient("unix:/path"), () => new TailslideClient(proxyUrl: "ftp://h"),
            () => new TailslideClient(token: "a\nb"), () => new TailslideClient(timeout: TimeSpan.Zero),
            () => new TailslideClient(flushInterval: TimeSpan.FromSeconds(-1)), () => new TailslideClient(maxOutcomes: 0),
        };
        for (int maker = 0; maker < makers.Length; maker++)
        {
            string outcome = "made";
            try
            {
                makers[maker]().Dispose();
            }
            catch (ArgumentException)
            {
                outcome = "thrown";
            }
            Equal("thrown", outcome, $"maker {maker}:");
        }
    }

    private static void TestOutcomesGoByFlagAndInBatches()
    {
        using (var fake = new FakeSidecar((body, stream) => FakeSidecar.Http("{}", "202 Accepted")))
        using (var client = new TailslideClient(fake.Url, flushInterval: Never))
        {
            for (int time = 0; time < 999; time++)
                client.Success("f", TimeSpan.FromTicks(125000));
            Equal(0, fake.Requests.Count);
            client.Failure("g");
            string first = fake.Requests.Take(), second = fake.Requests.Take(); // a thousand wait for nothing
            Equal(true, first.StartsWith("POST /v1/flags/f/outcomes "), first);
            Equal(999, Regex.Matches(first, "\"outcome\":\"success\",\"latency_ms\":12[.]5,\"began_ms\":[0-9]{13}[}]").Count, first.Substring(0, 300));
            Equal(true, Regex.IsMatch(second, "^POST /v1/flags/g/outcomes (.|\\s)*\"outcome\":\"failure\",\"began_ms\":[0-9]{13}[}]]$"), second);
            Equal(true, client.FlushAsync().Result);
            Equal(1000L, client.Stats().OutcomesSent);
        }
    }

    private static void TestOutcomesAreKeptWhileTheSidecarIsAwayAndTheOldestDropped()
    {
        int port = FreePort();
        using (var client = new TailslideClient($"http://127.0.0.1:{port}", flushInterval: TimeSpan.FromMilliseconds(20), maxOutcomes: 3))
        {
            for (int time = 0; time < 5; time++)
                client.Success("f", TimeSpan.FromMilliseconds(time));
            Equal(false, client.Flush());
            Equal("3 2", $"{client.Stats().OutcomesWaiting} {client.Stats().OutcomesDropped}");
            using (var fake = new FakeSidecar((body, stream) => FakeSidecar.Http("{}", "202 Accepted"), port))
            {
                var sent = Regex.Matches(fake.Requests.Take(), "latency_ms\":([0-9])").Cast<Match>().Select(match => match.Groups[1].Value);
                Equal("2 3 4", string.Join(" ", sent));
            }
        }
    }

    private static void TestBusySidecarGetsOutcomesAgainAndARefusalIsFinal()
    {
        var statuses = new Queue<string>(new[] { "503 Busy", "429 Too Many", "400 Bad" });
        using (var fake = new FakeSidecar((body, stream) => FakeSidecar.Http("{}", statuses.Dequeue(), "Retry-After: 0\r\n")))
        using (var client = new TailslideClient(fake.Url, flushInterval: Never))
        {
            client.Success("f");
            Equal("False False False True", string.Join(" ", client.Flush(), client.Flush(), client.Flush(), client.Flush()));
            Equal("1 0", $"{client.Stats().OutcomesRefused} {client.Stats().OutcomesWaiting}");
        }
    }

    private static void TestNotBeforeRetryAfter()
    {
        using (var fake = new FakeSidecar((body, stream) => FakeSidecar.Http("{}", "429 Too Many", "Retry-After: 60\r\n")))
        using (var client = new TailslideClient(fake.Url, flushInterval: Never))
        {
            client.Success("f");
            Equal("False False", string.Join(" ", client.Flush(), client.Flush()));
            Equal(1, fake.Requests.Count);
        }
    }

    private static void TestGuard()
    {
        using (var fake = new FakeSidecar((body, stream) => FakeSidecar.Http("{}", "202 Accepted")))
        using (var client = new TailslideClient(fake.Url, flushInterval: Never))
        {
            Func<int, bool> raising = result => throw new InvalidOperationException();
            Func<int> throwing = () => throw new TimeoutException("as told");
            Equal(5, client.Guard("f", () => 5));
            Equal(5, client.Guard("f", () => 5, result => result == 5));
            Equal(5, client.Guard("f", () => 5, raising));
            Equal(5, client.GuardAsync("f", () => Task.FromResult(5)).Result);
            Equal("as told", Thrown(() => client.Guard("f", throwing)));
            Equal("as told", Thrown(() => client.Guard("f", throwing, failureIfThrown: thrown => false)));
            client.Guard("f", () => { });
            client.GuardAsync("f", () => Task.Delay(1)).Wait();
            client.Flush();
            var sent = Regex.Matches(fake.Requests.Take(), "outcome\":\"([a-z]+)").Cast<Match>().Select(match => match.Groups[1].Value);
            Equal("success failure success success failure success success success", string.Join(" ", sent));
        }
    }

    private static string Thrown(Action call)
    {
        try
        {
            call();
            return "";
        }
        catch (TimeoutException e)
        {
            return e.Message;
        }
    }

    private static void TestManyAtOnceGetTheirOwnAnswers()
    {
        using (var fake = new FakeSidecar((body, stream) =>
            FakeSidecar.Evaluation(Regex.Match(body, "targetingKey\":(\"[^\"]+\")").Groups[1].Value)))
        using (var client = new TailslideClient(fake.Url, timeout: TimeSpan.FromSeconds(10)))
        {
            var keys = Enumerable.Range(0, 100).Select(number => $"user-{number}").ToList();
            var answers = Task.WhenAll(keys.Select(key => client.ValueAsync("f", key, null, ""))).Result;
            Equal(string.Join(" ", keys), string.Join(" ", answers));
            Equal(string.Join(" ", keys), string.Join(" ", keys.AsParallel().AsOrdered().Select(key => client.Value("f", key, null, ""))));
        }
    }

    private static void TestLogHasOneLineAndNeitherTokenNorAttributes()
    {
        var written = new StringWriter();
        var listener = new TextWriterTraceListener(TextWriter.Synchronized(written));
        TailslideClient.Log.Listeners.Add(listener);
        using (var fake = new FakeSidecar((body, stream) => FakeSidecar.Http("{\"errorDetails\": \"user DE\"}", "401 Unauthorized")))
        using (var client = new TailslideClient(fake.Url, "s3cret", timeout: Patient))
        {
            client.IsActive("f", "u", new Map { ["country"] = "DE" });
            client.IsActive("f", "u", new Map { ["country"] = "DE" });
            SpinWait.SpinUntil(() => written.ToString().Contains("\n"), 2000);
        }
        TailslideClient.Log.Listeners.Remove(listener);
        string log = written.ToString();
        Equal(true, log.Contains("1 questions got their defaults; the latest: GENERAL HTTP status 401"), log);
        Equal(2, log.Split('\n').Length, log);
        Equal(false, log.Contains("s3cret") || log.Contains("DE"), log);
    }

    private static void TestCallsThroughTheProxy()
    {
        using (var fake = new FakeSidecar((body, stream) => FakeSidecar.Http("paid")))
        using (var client = new TailslideClient(proxyUrl: fake.Url + "/"))
        {
            Equal("paid", client.Http.GetStringAsync("http://payments.internal/pay").Result);
            Equal("GET http://payments.internal/pay HTTP/1.1", fake.Requests.Take().Split('\r')[0]);
            Equal($"{fake.Url}/pay", client.ProxyUrl("/pay"));
        }
    }
}
