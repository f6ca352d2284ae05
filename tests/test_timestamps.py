"""The timestamp grammar: one sentence a case, by what it writes."""

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videor2.timestamps import by_sentence, sentence_spans, timestamps

# A sentence, then the seconds of each moment (5) or interval (5-9) that it names.
CLOCKS = r"""
The dog enters the frame at 00:07. => 7
By 2:10 the soup is boiling. => 130
Before 00:30 the street is empty. => 30
After 1:15, nobody is left in the room. => 75
@00:12 he trips. => 12
@ 0:12 he trips. => 12
Timestamp 00:31: the logo fades in. => 31
timestamp: 00:31 shows the logo => 31
The video timestamp reads 00:31 when the logo fades in. => 31
The timestamp in the corner shows 00:04 as the ball appears. => 4
Since 03:10 the rain has stopped. => 190
{"00:05": "a man sits"} => 5
<00:10> the door opens => 10
Right at 0:45 the band starts to play. => 45
The 1:05 mark is where she falls. => 65
At 00:03.5 the light blinks. => 3.5
At 00：15 the light blinks. => 15
- 00:05: the man sits => 5
* **00:05** – the man sits => 5
1. 00:05 the man sits => 5
He sits (00:05), stands (00:09) and leaves (00:15). => 5 9 15
00:05, 00:07 and 00:09 show the same cup. => 5 7 9
I can see it twice: 0:14, then 0:52. => 14 52
At about 01:10 or so the bell rings. => 70
The event happens at [00:10]. => 10
it ends at 10:00 => 600
Then, at 00:19s, he turns. => 19
At 1:30 min the speaker bows. => 90
Skip to 02:33 and you see the map. => 153
The clip cuts to a lake at 00:58, not at 00:50. => 58 50
The correct time is 00:12 => 12
So the answer is 01:06. => 66
Looking again: 00:21 hat on, 00:25 hat off. => 21 25
The 00:21 frame shows a hat => 21
Seconds before 00:21 it rains. => 21
The key moment is 00:42 when the vase breaks => 42
Frame at 00:09: a red cube. => 9
at 01:45, 01:52, and 02:03 the phone rings => 105 112 123
"""

HOURS = r"""
At 00:01:23.500 the drone lands. => 83.5
00:01:23,500 subtitle starts => 83.5
At 1h02m03s the credits roll. => 3723
1 hour 2 minutes in, the credits roll. => 3720
At 1h 20min there is a break. => 4800
at 1 hr 3 min the song ends => 3780
By 5m10s he has finished the bridge. => 310
[00:01:23] he enters => 83
at 10m05s we see the sea => 605
around 1 hour and 5 minutes, the guests leave => 3900
from 1h10m to 1h12m they argue => 4200-4320
at 2 hours, 3 minutes and 4 seconds he sleeps => 7384
At 0h 1m 15s the alarm sounds. => 75
the break comes at 01:00:00 => 3600
Between 00:59:30 and 01:00:30 the hall is dark. => 3570-3630
at 1m 5s, the boy nods => 65
around the 1h30m mark he falls asleep => 5400
"""

RANGES = r"""
00:12-00:18 the man walks. => 12-18
From 00:12–00:18 the man walks. => 12-18
00:12 — 00:18: the man walks => 12-18
Between 01:00 and 01:20 the cat sleeps. => 60-80
From 2:30 till 2:45 there's silence. => 150-165
00:05 --> 00:08 => 5-8
from 00:10 up to 00:15 he runs => 10-15
From 00:35 to 00:20 he runs => 20-35
[00:03 - 00:05] a dog runs => 3-5
[00:03, 00:05] a dog runs => 3-5
(00:03 to 00:05) a dog runs => 3-5
**00:03** - **00:05**: a dog runs => 3-5
The segment 00:03–00:05 shows a dog. => 3-5
The 00:10–00:15 segment is blurred. => 10-15
1:10-15 is blurred => 70-75
From about 00:10 to around 00:15 he runs. => 10-15
Sometime between 00:40 and 00:50 he yawns. => 40-50
in the clip (00:10 - 00:20), then (00:30 - 00:40) => 10-20 30-40
01:05:10 - 01:05:20 a chase => 3910-3920
59:50-1:00:10 a chase => 3590-3610
from 0:45s to 1:10s the choir sings => 45-70
From 0 to 00:10 the screen is black. => 0-10
00:10 through 00:12 => 10-12
It lasts from 1:05 to 1:35. => 65-95
for 00:10-00:15 the light is on => 10-15
He appears from 00:05 and leaves at 00:09. => 5 9
starts at 00:10 and ends at 00:15 => 10 15
00:10 to 0:12, 00:20 to 0:22 => 10-12 20-22
"00:07-00:09" the crowd cheers => 7-9
"""

SECONDS = r"""
at 5s the cup falls => 5
from 5s to 9s the cup rolls => 5-9
<3.0 seconds> a cup => 3
at second 12 the bell rings => 12
at 12 secs he bows => 12
at 12 sec. he bows => 12
@ 12s he bows => 12
the 16th second is blurry => 16
10-15s: he bows => 10-15
He bows (10-15s). => 10-15
10s–15s he bows => 10-15
5.5 seconds in, he bows. => 5.5
In the first 5 seconds nobody moves. => 0-5
The opening 10 seconds show a logo. => 0-10
Within the first 3 seconds a logo is shown. => 0-3
In the last 5 seconds he bows. => nothing
t = 4: the bell rings => 4
t=3s to t=5s he bows => 3-5
At t≈7.5 s he bows => 7.5
timestamp: 7.2 he bows => 7.2
At timestamp 7.2s he bows => 7.2
seconds 4 to 9 are dark => 4-9
between seconds 10 and 15 it is dark => 10-15
between second 10 and second 15 it is dark => 10-15
4 to 9 s is dark => nothing
at the 7 s mark it is dark => 7
the 7s mark => 7
at 1500 ms a click is heard => 1.5
13 seconds into the video a click is heard => 13
45 seconds in there is a click. => 45
At 12 seconds and 15 seconds there is a click. => 12 15
At 5, 10 and 15 seconds there is a click. => 5 10 15
at 3s, 7s and 12s there is a click => 3 7 12
from 0 to 5s it is dark => 0-5
(12s) the lamp goes on => 12
between 3.5 and 4.5 seconds => 3.5-4.5
The action takes place from 24.3 to 30.4 seconds. => 24.3-30.4
The event starts at 24.3 seconds and ends at 30.4 seconds. => 24.3 30.4
24.3 - 30.4 seconds => 24.3-30.4
It is visible until 8 seconds. => 8
At exactly 33 seconds she blinks. => 33
At around the 33-second mark she blinks. => 33
From the 5-second mark to the 9-second mark she blinks. => 5-9
Between the 5 and 9 second marks she blinks. => 5-9
She appears around 20 seconds. => 20
during 5s-9s => 5-9
0.0s: start. 4.2s: jump. => 0 4.2
Second 12: the bell rings. => 12
at the 5 sec mark => 5
[5s] man sits. [9s] man stands. => 5 9
[5.0, 9.0] seconds => nothing
frames at 2s, 4s, 6s => 2 4 6
By 20 seconds the tower has fallen. => 20
After 10 seconds, the tower falls. => 10
He starts at 3s and stops at 8s. => 3 8
at the 10th second, he waves => 10
between the 10th and 15th second => 10-15
from the 3rd to the 5th second => 3-5
around 0:32 seconds => 32
"""

WORDS = r"""
At one minute thirty seconds he leaves. => 90
At ninety seconds he leaves. => 90
A minute and a half into the video he leaves. => 90
two and a half minutes in, he leaves => 150
half an hour in, he leaves => 1800
In the first ten seconds he leaves. => 0-10
Twenty-three seconds in, he leaves. => 23
At minute 3 he leaves. => 180
at one hour two minutes and three seconds => 3723
1.5 minutes in, he leaves => 90
at the 2-minute mark => 120
at the 1 minute 30 second mark => 90
between one and two minutes in => 60-120
At twelve seconds => 12
from ten to twenty seconds => 10-20
around the thirty-second mark => 30
during the first half minute => 0-30
in the opening minute => 0-60
three minutes into the clip => 180
a quarter of an hour in, he leaves => 900
three quarters of a minute in, he leaves => 45
From the first second to the fifth second it rains. => 1-5
five seconds into the footage => 5
in the first two minutes and ten seconds => 0-130
about forty seconds in, => 40
By the one-minute mark => 60
from one minute to one minute twenty seconds => 60-80
A few seconds in, he leaves. => nothing
Midway through the video he leaves. => nothing
at the sixty second point => 60
an hour into the lecture => 3600
At the very beginning (second 0) => 0
around minute two => 120
two minutes in => 120
the first three minutes of the video => 0-180
at five minutes and ten seconds => 310
roughly two minutes in, the tempo changes => 120
thirty seconds after the video starts, he waves => 30
"""

AMONG_OTHER_NUMBERS = r"""
At 00:20 he runs for 5 seconds. => 20
From 00:10 to 00:20, about 10 seconds, he runs. => 10-20
The 2-minute clip shows a goal at 1:15. => 75
At 0:40 the clock shows 3:15. => 40
Frame 30 (00:10) shows a cat. => 10
The score is 2:1 at 01:05:30. => 3930
Option A says 00:10 and option B says 00:20. => 10 20
At 00:30, two seconds before the jump, he looks back. => 30
Ten seconds later, at 00:40, he sits. => 40
The bus leaves at 10:30 am, as shown at 00:12. => 12
At 1:05 the timer on screen says 00:30 remaining. => 65
The stopwatch reads 12.4 s at 00:33. => 33
At 00:05 he holds for 3 s, then at 00:09 he lets go. => 5 9
The video is 2:30 long and the kiss is at 2:05. => 125
At 16s the aspect ratio changes to 16:9. => 16
In the 30-second ad, the logo is at 0:28. => 28
On the scoreboard, 21:19 is shown at 04:10. => 250
He reads John 3:16 at 02:15. => 135
She waits 10 seconds from 00:10 to 00:20. => 10-20
They play the 5th set from 01:10:00 to 01:30:00 => 4200-5400
At 00:45 the train to platform 10:15 departs? => 45
First, at 00:02, a red ball rolls in. => 2
The woman (wearing red, seen at 0:07) waves. => 7
Event 1: 00:02 - 00:04, Event 2: 00:06 - 00:08 => 2-4 6-8
around the two and a half minute mark => 150
t = 12.0s -> 15.5s => 12-15.5
The ball appears at 3 s and the cube at 7 s. => 3 7
ball at 3s, cube 7s => 3
3s-5s: ball; 7s-9s: cube => 3-5 7-9
The ball is visible between 3s and 5s. => 3-5
The phone rings at 00:14. => 14
The clock strikes at 00:14. => 14
The game resumes at 12:40 with the score tied. => 760
He wins at 12:40. => 760
By 12:40 the score is 2:1. => 760
A clock on the wall is visible at 1:10. => 70
The sign at 1:10 is red. => 70
The ticket is torn at 0:50. => 50
Meeting people at 1:10, he smiles. => 70
The train passes at 2:15. => 135
He leaves the room at 0:55 and returns at 1:20. => 55 80
The speaker says at 00:40 that it works. => 40
Is it 00:40 or 00:45? => 40 45
Not at 00:40 but 00:45. => 40 45
Answer: 00:40-00:45 => 40-45
Start: 00:40, End: 00:45 => 40 45
The moment starts at 12.5s, lasting 3s. => 12.5
After about 20 seconds, he leaves. => 20
For the first 20 seconds he stands still. => 0-20
There is a 5 second gap between 00:10 and 00:15. => 10-15
He dances at 00:10 for five seconds. => 10
He jumps (5 seconds). => 5
It starts at 5 s and ends at 9 s => 5 9
At 5 to 9 seconds there is a dog. => 5-9
In 5-9s there is a dog. => 5-9
5 sec - dog => 5
0s-5s a dog runs => 0-5
(0–5 s) a dog runs => 0-5
| 00:05 | a dog runs | => 5
Between 10s and 20s, and again at 35s => 10-20 35
from 1 minute 5 seconds to 1 minute 10 seconds => 65-70
At 1 min. 5 sec. he jumps => 65
at 75 seconds (1:15) => 75 75
In the third minute he leaves. => 120-180
the first second of the video => 0-1
first-minute goal => 0-60
One minute and ten seconds into it => 70
a minute in, he leaves => 60
at 1.5 hours => 5400
2 Corinthians 5:17 is shown at 01:10 => 70
100:00 => 6000
At 1:30-ish the light changes. => 90
At 1m05 the light changes. => 65
At `00:12` the light changes. => 12
Just before 00:30 he nods. => 30
(around 00:08) he nods => 8
1h2m3s: he nods => 3723
at 1hr 2min he nods => 3720
At 5:07:09 he nods. => 18429
At 01:02:03,456 he nods. => 3723.456
the 1 hour and 30 minutes mark => 5400
From 1:00 onwards he nods. => 60
Between 5 and 7 minutes he nods. => 300-420
From the start until 00:20 he nods. => 0-20
00:15 up to 00:30 => 15-30
At ~12s he nods. => 12
At approx. 12s he nods. => 12
@5s he nods => 5
From 5 until 9 seconds he nods. => 5-9
at the 12-second timestamp => 12
At one minute and twenty seconds he nods. => 80
the one-minute-thirty mark => 90
at the half hour mark => 1800
By the end of the first minute he nods. => 60
After the first 10 seconds he nods. => 10
thirty seconds from the beginning => 30
the forty-five-second mark => 45
at forty five seconds => 45
at a hundred seconds => 100
ten minutes and thirty seconds into the lecture => 630
between thirty and forty seconds => 30-40
at the 10 and 20 second marks => 10 20
Between the five-second and the ten-second mark he nods. => 5-10
Within the opening 30 seconds he nods. => 0-30
A 10-second countdown plays at 00:50. => 50
The countdown starts at 00:10. => 10
his watch reads 10:09 at 00:47 => 47
the subtitles show 00:01:02 => 62
cooks for 2 minutes, then at 03:10 flips it => 190
two seconds after 00:10 => 10
B) 00:12 - 00:15 => 12-15
He falls 3.5 seconds into the clip and rises at 6 seconds. => 3.5 6
At 3:20 the board shows 21-18, a three-point lead. => 200
He waits 30 seconds and at 01:10 he leaves. => 70
From 01:20 back to 01:10 it is played in reverse. => 80 70
"""

NOT_THE_TIME_OF_THE_VIDEO = r"""
Revelation 21:4 is on the tombstone.
The parking meter shows 01:30 left.
He holds his breath for 1:45.
They trail 10:14 at half-time.
The car does 0 to 100 in 4 seconds.
Psalm 23:1 is on the wall.
A 4:3 aspect ratio is used.
The final score was 2:1.
Final score: 21:19
Exodus 20:13 is read aloud.
The 7:30 train is late.
He sleeps for 8 hours.
This is a 30-second video.
Ten seconds later he leaves.
Every 3 seconds the light blinks.
Frames 10 to 15 are dark.
At 12:60 he waves.
Pages 12-15 are torn.
10 to 15 people are in the room.
He bought an iPhone 5s.
Her watch says 11:55.
The model is 1:24 scale.
The microwave timer is set to 02:30.
The timer counts down from 00:30.
The second man has 3 bags.
He finished the race in 2:05:30.
The speed is 5 m/s at most.
It takes 5-10 minutes to bake.
Stir every 30 s.
The video runs at 30 fps.
Wait 10 s, then press.
It was built in the 1960s.
An hour later they return.
After 2 minutes of boiling, add salt.
Mix flour and water 2:1.
The odds are 10:1.
UTC+05:30 is the time zone.
The meeting is scheduled for 10:30.
The alarm clock on the table says 06:30.
The label reads 12:30.
Duration: 04:30
The total runtime is 1:02:03.
about 30 seconds pass
He has 2 cats and 3 dogs.
Just a second, he says.
There are 5 s in Mississippi.
Table 10:15 is by the window.
GPS coordinates 40:26:46 N
With 0:45 left on the clock, they attack.
There are 30 seconds left on the clock.
On a scale from 5 to 10, it is a 7.
There are 12 to 15 dancers.
The price went from 5 to 9 dollars.
He does 10 reps in 30 seconds.
The countdown goes 3, 2, 1.
The aspect ratio 16:10 is rare.
The Quran, Surah 2:255, is recited.
The vote was 52:48.
The game ended 24:13.
a 5:00 alarm
He took 1:05 to finish.
About 20 seconds later, he leaves.
He is back within 20 seconds.
Over the next 20 seconds he stands still.
During the final minute he stands still.
The video is about 20 seconds long.
a 3-minute timer
In under 2 minutes
He was 2 seconds faster.
at 5-second intervals
He rests for 30-60 seconds between sets.
The time is 5 seconds.
He jumps - 5s.
He is in room 10:15 now.
at 9 o'clock
At night, 11:30 PM, he sleeps.
On the calendar, 10:30 is marked.
the verse 3:16
4:3 vs 16:9
1:2 ratio
It was 24-13.
a 3-2 win
The set score is 6:4 6:3.
12:34:56:78
99:99
at 1:60:00
3.5:2
$12:30
12:30 hours
Sunset at 19:45 local time
ETA 12:45
a total of 10:30
cooking time: 12:30
world record 9:58
he clocked 12:45
Player 10, 23 and 5 seconds the motion
call at 555:1234
He wears number 10:30
in the 90s,
his 20s
5s and 6s on the dice
windows 10 minutes
At 5 seconds from the end he nods.
In the last minute he nods.
a minute later
a couple of minutes in
several seconds into the clip
the stopwatch stops at 00:09.58
the departure board shows 14:25
the caption says 12:30 PM
at half past three
dinner at 8 pm
ISO 12:30
a 1:10 ratio
the scale is 1:25
a 10:8 lead in the set
25-23
Real Madrid 3:10 Barcelona
Isaiah 40:31
Proverbs 3:5-6
1:1 correspondence
Sura 2:255
Bus number 10:15
port 80:80
5/10/2023 10:15
born in 1985
f/2.8 at 1/50 s
exposure of 30 s
between 5 and 10 people
from 3 to 5 meters
at 5% and 10%
2 to 3 times
aged 10-15
$5 to $10
size 10-12
3-2-1
the 2-minute warning
the 24-second shot clock
It lasts 1:20.
the 3:45 long song
the whole 12:30 video
30 seconds pass.
The drill is 5 seconds on, 10 seconds off.
after a few seconds
within the next 5 seconds
more than 30 seconds
at least 10 seconds
at about 5 seconds per frame
sampled every 2 seconds
2 frames per 5 seconds
10 seconds remaining
a split second
The second man, number 5, scores.
the first of 10 seconds
Step 1: 30 seconds.
(3) 12 seconds
"""


def cases(*tables: str) -> list[tuple[str, list[tuple[float, float]]]]:
    found = []
    for line in "".join(tables).strip().splitlines():
        sentence, _, seconds = line.rpartition(" => ")
        spans = [span.partition("-") for span in seconds.split() if span != "nothing"]
        found.append((sentence, [(float(start), float(end or start)) for start, _, end in spans]))
    return found


def named(text: str) -> list[tuple[float, float]]:
    return [(stamp.start_s, stamp.end_s) for stamp in timestamps(text)]


@pytest.mark.parametrize(("sentence", "expected"), cases(CLOCKS, HOURS, RANGES, SECONDS, WORDS, AMONG_OTHER_NUMBERS))
def test_a_moment_is_read(sentence: str, expected: list[tuple[float, float]]) -> None:
    assert named(sentence) == expected


@pytest.mark.parametrize("sentence", NOT_THE_TIME_OF_THE_VIDEO.strip().splitlines())
def test_what_is_no_moment_is_not_read(sentence: str) -> None:
    assert named(sentence) == []


def test_labelled_sentences_are_read_as_labelled(shared_data: Path) -> None:
    rows = [json.loads(x) for x in (shared_data / "parity/dev/timestamps.jsonl").read_text().splitlines()]
    wrong = [row["id"] for row in rows if named(row["sentence"]) != [(a, b) for a, b in row["intervals"]]]
    assert len(wrong) <= len(rows) * 0.05, wrong


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("So from 01:43 to 01:44, he waves.", ["01:43 to 01:44"]),
        ("Around the 40 second mark and at t=12.5s", ["40 second", "t=12.5s"]),
        ("İn the first 5 seconds, not at 9:41 AM", ["first 5 seconds"]),
        ("at 5, 10 and 15 s", ["5", "10", "15 s"]),
        ("From the start until 00:10 she sits.", ["the start until 00:10"]),
    ],
)
def test_a_timestamp_knows_where_it_stands(text: str, written: list[str]) -> None:
    assert [text[stamp.begin : stamp.end] for stamp in timestamps(text)] == written


@given(st.integers(0, 359_999), st.sampled_from(["At {} he waves.", "({})", "- {}: he waves", "By {}, he has gone."]))
def test_every_clock_is_read_back(seconds: int, frame: str) -> None:
    minutes, rest = divmod(seconds, 60)
    for clock in (f"{minutes // 60:02d}:{minutes % 60:02d}:{rest:02d}", f"{minutes // 60}h{minutes % 60}m{rest}s"):
        assert named(frame.format(clock)) == [(seconds, seconds)]
    if minutes < 1000:
        assert named(frame.format(f"{minutes:02d}:{rest:02d}")) == [(seconds, seconds)]


TIMES = st.integers(0, 3599).map(lambda s: (s, f"{s // 60:02d}:{s % 60:02d}"))
JOINTS = st.sampled_from(["-", " - ", "–", " — ", "~", " to ", " until ", " -> ", "..", " through ", " → "])


@given(TIMES, TIMES, JOINTS)
def test_a_range_is_read_with_any_dash(a: tuple[int, str], b: tuple[int, str], joint: str) -> None:
    low, high = sorted((a[0], b[0]))
    assert named(f"From {a[1]}{joint}{b[1]} it rains.") == [(low, high)]
    assert named(f"[{a[1]}{joint}{b[1]}] it rains") == [(low, high)]


@given(st.lists(TIMES, min_size=1, max_size=8), st.sampled_from([", ", " and ", "; ", " / "]))
def test_all_times_of_a_list_are_read_in_order(times: list[tuple[int, str]], separator: str) -> None:
    assert named("Seen at " + separator.join(clock for _, clock in times)) == [(s, s) for s, _ in times]


@given(st.floats(0, 5000).map(lambda x: round(x, 2)))
def test_fractions_of_a_second_stay(seconds: float) -> None:
    assert named(f"at t={seconds:.2f}s it rains") == [(seconds, seconds)]
    assert named(f"it rains at {seconds:.2f} seconds") == [(seconds, seconds)]


@given(st.integers(60, 99), st.integers(0, 59))
def test_seconds_above_59_are_no_clock(seconds: int, minutes: int) -> None:
    assert named(f"At {minutes:02d}:{seconds} he waves.") == []
    assert named(f"At 01:{seconds}:{minutes:02d} he waves.") == []


@given(st.text(alphabet="0123456789:.,-–~ ()[]<>\"'=tsmhAtofirseconduandkb\n", max_size=200))
def test_any_text_is_read_in_order_and_within_its_sentences(text: str) -> None:
    place = 0
    for begin, end, stamps in by_sentence(text):
        assert place <= begin < end <= len(text)
        place = begin
        for stamp in stamps:
            assert place <= stamp.begin < stamp.end <= end
            assert 0 <= stamp.start_s <= stamp.end_s
            place = stamp.end
        place = end


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("It stops at 00:03.5 in all. Then it goes.", ["It stops at 00:03.5 in all.", "Then it goes."]),
        (
            "Use e.g. 12.5 s, approx. 3 min. long. Mr. Hu nods.",
            ["Use e.g. 12.5 s, approx. 3 min. long.", "Mr. Hu nods."],
        ),
        ("1. A ball.\n2. A cube.", ["1. A ball.", "2. A cube."]),
        ("- 00:05: he sits\n- 00:09: he stands", ["- 00:05: he sits", "- 00:09: he stands"]),
        ("Options: A. red B. blue C. green", ["Options: A. red B. blue C. green"]),
        ("The man\nwalks away.\n\nthen he stops", ["The man\nwalks away.", "then he stops"]),
        ("Wait... the ball! Where? (There.) Yes", ["Wait... the ball!", "Where?", "(There.)", "Yes"]),
        ("In 1985. The end", ["In 1985.", "The end"]),
        ("", []),
        (" \n\t ", []),
    ],
)
def test_a_sentence_ends_where_a_reader_would_end_it(text: str, sentences: list[str]) -> None:
    assert [text[begin:end] for begin, end in sentence_spans(text)] == sentences


@given(st.text(max_size=300))
def test_sentences_cover_all_but_white_space(text: str) -> None:
    spans = list(sentence_spans(text))
    inside = {i for begin, end in spans for i in range(begin, end)}
    assert all(text[i].isspace() for i in range(len(text)) if i not in inside)
    assert len(inside) == sum(end - begin for begin, end in spans)


@pytest.mark.parametrize(
    "junk",
    [
        "1",
        "1:",
        "00:01 ",
        "5, ",
        "5-",
        " ",
        "\n",
        ".",
        "(",
        '."',
        "at about ",
        "one minute and ",
        "first ",
        "1'30",
        "t=",
    ],
)
def test_time_is_linear_on_junk(junk: str) -> None:
    def seconds(length: int) -> float:
        """The least of three: what else the process does at that moment, as collecting garbage, is not counted."""
        text = (junk * length)[:length]
        took = []
        for _ in range(3):
            started = time.process_time()
            timestamps(text)
            took.append(time.process_time() - started)
        return min(took)

    seconds(1000)
    assert seconds(80_000) < 40 * max(seconds(8_000), 0.002)
