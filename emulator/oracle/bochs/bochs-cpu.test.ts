import { baseRegisters } from '../scenes/scene-layout';
import { EVENT_PLACES, placesOf, raised, registersIn, sceneCpu } from './bochs-cpu';

const user = baseRegisters(3);
/** Nothing pending, nothing in service, CR8 = 0. */
const idle = new Map(EVENT_PLACES.map((place) => [place, '0x0']));

test('the registers of a scene come back from the state that Bochs is given', () => {
  const registers = new Map(user).set('cr8', 9n).set('r15', 0xfedc_ba98_7654_3210n).set('ldtr', 0n);
  expect(registersIn(sceneCpu(registers))).toEqual(registers);
});

test('CS and SS have the descriptors of the CPL, and a NULL selector has none', () => {
  const cpu = sceneCpu(user);
  expect([cpu.get('CS.dpl'), cpu.get('SS.dpl'), cpu.get('SS.valid'), cpu.get('DS.valid')]).toEqual([
    '0x3',
    '0x3',
    '0x1',
    '0x0',
  ]);
  expect(sceneCpu(baseRegisters(0)).get('CS.dpl')).toBe('0x0');
});

test('with IF=0 a CPU begins with interrupts masked', () => {
  expect(sceneCpu(user).get('event_mask')).not.toBe('0x0');
  expect(sceneCpu(new Map(user).set('eflags', 0x202n)).get('event_mask')).toBe('0x0');
});

test('an NMI is pending, beside what was', () => {
  expect(raised(new Map(idle).set('pending_event', '0x800'), 'nmi')).toEqual(new Map([['pending_event', '0x801']]));
});

test('an interrupt is requested, and pending if nothing of its class or above holds it back', () => {
  const request = ['local_apic.irr1', '0x8'] as const;
  const pending = ['pending_event', '0x800'] as const;
  expect(raised(idle, 0x23)).toEqual(new Map([pending, request]));
  expect(raised(new Map(idle).set('local_apic.task_priority', '0x10'), 0x23)).toEqual(new Map([pending, request]));
  expect(raised(new Map(idle).set('local_apic.task_priority', '0x20'), 0x23)).toEqual(new Map([request]));
  expect(raised(new Map(idle).set('local_apic.isr1', '0x1'), 0x23)).toEqual(new Map([request]));
  expect(raised(new Map(idle).set('local_apic.isr7', '0x80000000'), 0x23)).toEqual(new Map([request]));
});

test('a register is written where it stands', () => {
  const places = placesOf([
    ['eflags', 2n],
    ['gs_base', 0x1000n],
  ]);
  expect(places).toEqual(
    new Map([
      ['EFLAGS', '0x2'],
      ['GS.base', '0x1000'],
    ]),
  );
});
